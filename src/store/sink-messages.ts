import type { DigestAlgorithm } from '../core/digest.ts';

/** To the thread. `file` numbers the files of one thread. */
export type SinkOrder =
  | { readonly kind: 'open'; readonly file: number; readonly fd: number; readonly algorithm: DigestAlgorithm }
  /** The first `bytes` of the block are the next of the file. */
  | {
      readonly kind: 'append';
      readonly file: number;
      readonly block: SharedArrayBuffer;
      readonly bytes: number;
    }
  | { readonly kind: 'finish'; readonly file: number }
  | { readonly kind: 'forget'; readonly file: number };

/** From the thread: one for each `append` and each `finish`, in the order of the orders. */
export type SinkReport =
  | {
      readonly kind: 'appended';
      readonly file: number;
      readonly block: SharedArrayBuffer;
      readonly failure?: SinkFailure;
    }
  | { readonly kind: 'finished'; readonly file: number; readonly hex: string }
  | { readonly kind: 'unfinished'; readonly file: number; readonly failure: SinkFailure };

/** The first thing that went wrong with a file. */
export interface SinkFailure {
  readonly message: string;
  /** Such as `ENOSPC`. */
  readonly code?: string;
}
