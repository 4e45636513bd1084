/** Messages as the loader gives and takes them: names in camel case, every field set, 64-bit numbers as numbers. */

/** Absent where nobody set it. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

export type Labels = Readonly<Record<string, string>>;

export interface InfoMessage {
  readonly digest: string;
  readonly size: number;
  readonly createdAt: Timestamp | null;
  readonly updatedAt: Timestamp | null;
  readonly labels: Labels;
}

export interface DigestRequest {
  readonly digest: string;
}

export interface RefRequest {
  readonly ref: string;
}

export interface FilterRequest {
  readonly filters: readonly string[];
}

export interface UpdateRequest {
  readonly info: InfoMessage | null;
  readonly updateMask: { readonly paths: readonly string[] } | null;
}

export interface InfoResponse {
  readonly info: InfoMessage;
}

export interface ListResponse {
  readonly info: readonly InfoMessage[];
}

export interface ReadRequest {
  readonly digest: string;
  readonly offset: number;
  readonly size: number;
}

export interface ReadResponse {
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface StatusMessage {
  readonly ref: string;
  readonly offset: number;
  readonly total: number;
  readonly expected: string;
  readonly startedAt: Timestamp;
  readonly updatedAt: Timestamp;
}

export interface StatusResponse {
  readonly status: StatusMessage;
}

export interface StatusesResponse {
  readonly statuses: readonly StatusMessage[];
}

/** A number where the client knows an action that this version does not. */
export type WriteAction = 'STAT' | 'WRITE' | 'COMMIT' | number;

export interface WriteRequest {
  readonly action: WriteAction;
  readonly ref: string;
  readonly total: number;
  readonly expected: string;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly labels: Labels;
}

/** As a server receives it. */
export interface IncomingWrite extends Omit<WriteRequest, 'data'> {
  /** In pieces, none of them empty. */
  readonly data: readonly Uint8Array[];
}

export interface WriteResponse {
  readonly action: WriteAction;
  readonly startedAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly offset: number;
  readonly total: number;
  readonly digest: string;
}

/** @param ms milliseconds since the Unix epoch */
export function toTimestamp(ms: number): Timestamp {
  const whole = Math.floor(ms);
  const seconds = Math.floor(whole / 1_000);
  return { seconds, nanos: (whole - seconds * 1_000) * 1_000_000 };
}
