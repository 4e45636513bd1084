import type { Digest } from '../core/digest.ts';
import type { Labels } from './labels.ts';

/** How far a writer is. */
export interface Progress {
  readonly ref: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly updatedAtMs: number;
  /** Bytes that are there. */
  readonly offset: number;
  /** Bytes of the whole; 0 while nobody said. */
  readonly total: number;
  /** Absent where it is not known before the end. */
  readonly expected?: Digest;
}

/** What a commit is to be checked against. */
export interface Expectation {
  /** Bytes; 0 for any. */
  readonly total: number;
  /** Undefined for any. */
  readonly expected: Digest | undefined;
  readonly labels: Labels;
}

/** One stream's hold on a ref: bytes come in their order, and then there is a blob. */
export interface RefWriter {
  progress(): Progress;
  /** Of the bytes that are there, as far as that is known. */
  digest(): Digest | undefined;
  /** Resolves when more may come. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** Begins at zero. Answers who takes the bytes from then on. */
  restart(): Promise<RefWriter>;
  /** @throws Refusal `failedPrecondition` with what is there kept, `alreadyExists`; LayerpullError */
  commit(expectation: Expectation): Promise<Digest>;
  /** Ends; what is there is kept as far as it can be gone on with. Idempotent. */
  close(): Promise<void>;
}
