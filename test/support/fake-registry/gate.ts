import { type Deferred, deferred } from '../../../src/core/abort.ts';

/** Holds back the bytes of one blob. Controlled by the test, never by a timer. */
export interface Gate {
  /** Resolves once some request has sent all it may and waits here. */
  readonly reached: Promise<void>;
  /** Lets `bytes` more through, counted over the blob from its start. */
  allow(bytes: number): void;
  /** Opens the gate for good. Idempotent. */
  release(): void;
}

export interface InnerGate extends Gate {
  /** How far, in bytes from the start of the blob, anything may be sent now. */
  limit(): number;
  /** Resolves when the limit has moved. */
  wait(): Promise<void>;
}

/** @param afterBytes Bytes from the start of the blob that pass at once. */
export function createGate(afterBytes: number): InnerGate {
  const reached = deferred<void>();
  let moved: Deferred<void> = deferred<void>();
  let limit = afterBytes;
  const moveTo = (bytes: number) => {
    limit = bytes;
    moved.resolve();
    moved = deferred<void>();
  };
  return {
    reached: reached.promise,
    allow: (bytes) => moveTo(limit + bytes),
    release: () => moveTo(Number.POSITIVE_INFINITY),
    limit: () => limit,
    wait: () => {
      reached.resolve();
      return moved.promise;
    },
  };
}
