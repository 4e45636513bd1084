import { isLayerpullError, type LayerpullError, systemCodeOf } from '../core/errors.ts';

/** What is asked for. A token is asked for with the request that needs it, and tried again with that. */
export type Asked = 'manifest' | 'blob';

/** How often in a row something is tried again after the first try. */
type RetryRow = Readonly<Record<Asked, number>>;

/**
 * Every failure that is tried again. What stands nowhere here is final at once: another try would meet the same.
 *
 * Failures in a row count, whatever they are; for a blob every byte that arrives counts anew. `docs/transfer.md` is
 * tested against this table.
 */
export const retryTable = {
  /** Nobody listens: more often a wrong address than a bad moment, unless it gave us bytes before. */
  refused: { manifest: 1, blob: 3 },
  /** No connection, or none that lasted until an answer. */
  unreachable: { manifest: 3, blob: 3 },
  /** A connection that broke in the body; status 408, 500, 502, 503, 504; a redirect that led nowhere. */
  failed: { manifest: 3, blob: 3 },
  /** Nothing came for `--stall-timeout`. */
  stalled: { manifest: 3, blob: 3 },
  /** Status 429. */
  rateLimited: { manifest: 3, blob: 3 },
} as const satisfies Record<string, RetryRow>;

export type RetriedFailure = keyof typeof retryTable;

/** The row of the table that speaks of this error; undefined for what is never tried again. */
export function failureOf(error: unknown): RetriedFailure | undefined {
  if (!isLayerpullError(error) || !error.retryable) return undefined;
  return rowOf(error);
}

function rowOf(error: LayerpullError): RetriedFailure | undefined {
  switch (error.code) {
    case 'registry_unreachable':
      return systemCodeOf(error) === 'ECONNREFUSED' ? 'refused' : 'unreachable';
    case 'registry_failed':
      return 'failed';
    case 'registry_stalled':
      return 'stalled';
    case 'rate_limited':
      return 'rateLimited';
    default:
      return undefined;
  }
}

/** How often in a row `asked` may be tried again after this error; 0 when never. */
export function retriesAfter(error: unknown, asked: Asked): number {
  const failure = failureOf(error);
  return failure === undefined ? 0 : retryTable[failure][asked];
}

/** The pauses between tries: half to all of 500 ms, doubling to at most 30 s. */
export const pauses = { delayMs: 500, factor: 2, maxDelayMs: 30_000 } as const;

export interface RetryBounds {
  /** Tries after the first one. Default: what the table says. */
  readonly retries?: number;
  /** Milliseconds before the first retry; doubles with each. Default 500. */
  readonly delayMs?: number;
  /** Hears of each pause before it begins, in milliseconds. */
  readonly onPause?: (error: unknown, ms: number) => void;
}

/** The table in the form that `retry` takes. */
export function retrying(asked: Asked, bounds: RetryBounds = {}) {
  return {
    ...pauses,
    ...(bounds.delayMs === undefined ? {} : { delayMs: bounds.delayMs }),
    onPause: bounds.onPause,
    retries: Number.POSITIVE_INFINITY,
    shouldRetry: (error: unknown, round: number) => {
      const allowed = retriesAfter(error, asked);
      return round < Math.min(allowed, bounds.retries ?? allowed);
    },
  };
}
