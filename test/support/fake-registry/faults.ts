/**
 * What goes wrong with one request for a manifest or a blob.
 *
 * - `silent`: takes the request and never answers.
 * - `flaky`: declares everything, sends `afterBytes` of it, resets the connection.
 * - `truncating`: declares no length, sends `afterBytes`, ends as if that were all.
 * - `wrongDigest`: right length, wrong bytes.
 * - `tooLong`: declares no length and sends `extraBytes` more than there are.
 * - `wrongLength`: declares (and sends) `extraBytes` more than there are.
 * - `serverError`: `status` (500) with an OCI error body, and `retryAfter` as its `Retry-After` if given.
 * - `notFound`: 404 with an OCI error body.
 * - `denied`: 403 with an OCI error body.
 * - `tooManyRequests`: 429, with `retryAfter` as its `Retry-After` if given.
 * - `reset`: resets the connection without an answer.
 * - `ignoresRange`: answers a range request with 200 and everything.
 * - `wrongContentRange`: answers a range request with 206 and a `Content-Range` that begins one byte later.
 * - `redirectsTo`: 307 to `url` (which may be relative).
 * - `schema1`: answers with a Docker schema 1 manifest.
 * - `hugeManifest`: answers with 5 MiB of JSON without a declared length.
 * - `body`: answers 200 with exactly this content.
 * - `lyingDigestHeader`: right bytes, wrong `Docker-Content-Digest`.
 * - `stalling`: declares everything, sends `afterBytes` of it, then nothing, with the connection open.
 * - `resetAt`: resets the connection in the middle of the `statusLine`, of the `headers`, or behind them (`body`).
 * - `tooShort`: declares and sends `missingBytes` fewer than there are.
 * - `endless`: declares no length and sends bytes for ever.
 * - `endlessHeaders`: sends header lines for ever.
 * - `endlessError`: `status` (500) with a body for ever.
 * - `compressed`: sends everything gzipped, with a `Content-Encoding` only if `declared`.
 * - `contentRange`: answers with 206, the bytes asked for, and exactly this `Content-Range`; without `value`, with none.
 * - `shiftedBytes`: answers a range request with the right headers and the bytes from the start of the blob.
 * - `presigned`: redirects to an address that is good for one request, of which only `afterBytes` come if that is
 *   given; with `expired` it is good for none.
 */
export type Fault =
  | { readonly kind: 'silent' | 'wrongDigest' | 'notFound' | 'denied' | 'reset' }
  | { readonly kind: 'tooManyRequests'; readonly retryAfter?: string }
  | { readonly kind: 'ignoresRange' | 'wrongContentRange' | 'schema1' | 'hugeManifest' | 'lyingDigestHeader' }
  | { readonly kind: 'endless' | 'endlessHeaders' | 'shiftedBytes' }
  | { readonly kind: 'endlessError'; readonly status?: number }
  | { readonly kind: 'resetAt'; readonly stage: 'statusLine' | 'headers' | 'body' }
  | { readonly kind: 'compressed'; readonly declared: boolean }
  | { readonly kind: 'contentRange'; readonly value?: string }
  | { readonly kind: 'presigned'; readonly afterBytes?: number; readonly expired?: boolean }
  | { readonly kind: 'tooShort'; readonly missingBytes: number }
  | { readonly kind: 'flaky' | 'truncating' | 'stalling'; readonly afterBytes: number }
  | { readonly kind: 'tooLong' | 'wrongLength'; readonly extraBytes: number }
  | {
      readonly kind: 'serverError';
      readonly status?: number;
      readonly text?: string;
      readonly retryAfter?: string;
    }
  | { readonly kind: 'redirectsTo'; readonly url: string; readonly status?: number }
  | { readonly kind: 'body'; readonly bytes: Buffer | string; readonly mediaType?: string };

interface Planned {
  readonly target: string;
  readonly fault: Fault;
  left: number;
}

export interface FaultPlan {
  /** @param target a digest, a tag, or a whole path. */
  add(target: string, fault: Fault, times: number): void;
  clear(): void;
  /** The fault for a request, which counts as one of its times. */
  take(path: string): Fault | undefined;
}

export function createFaultPlan(): FaultPlan {
  let plan: Planned[] = [];
  return {
    add: (target, fault, times) => void plan.push({ target, fault, left: times }),
    clear: () => {
      plan = [];
    },
    take(path) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const planned = plan.find((one) => one.left > 0 && (one.target === name || one.target === path));
      if (planned) planned.left -= 1;
      return planned?.fault;
    },
  };
}
