/** What one server takes upon itself. All durations in milliseconds. */
export interface ServerLimits {
  /**
   * Connections at once; one more is answered 503 and closed. Default 16,384: 5,000 waiters with a stream and some
   * requests each.
   */
  readonly maxConnections: number;
  /** Event streams at once; one more is answered 503. Default 10,000, as many as may wait for one resource. */
  readonly maxStreams: number;
  /** From the first byte of a request, or from connecting, to the end of its headers. Default 10,000. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to its last. Default 30,000. Answers, and with them streams, are not limited. */
  readonly requestTimeoutMs: number;
  /** A client that takes nothing for this long while bytes wait for it is cut. Default 15,000. */
  readonly stallMs: number;
}

export const defaultLimits: ServerLimits = {
  maxConnections: 16_384,
  maxStreams: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  stallMs: 15_000,
};
