import { setMaxListeners } from 'node:events';
import type { Clock } from './clock.ts';

/** Runs `work` with a signal that aborts when `parent` does or after `ms`; the timer is gone when work ends. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  parent: AbortSignal | undefined,
  reason: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, end } = startDeadline(clock, ms, parent, reason);
  try {
    return await abortable(work(signal), signal);
  } finally {
    end();
  }
}

export interface Deadline {
  /** Aborts with the parent, or when the time is over. */
  readonly signal: AbortSignal;
  /** Stops the timer. Idempotent. */
  end(): void;
}

/** A signal that aborts when `parent` does, or with `reason()` after `ms` milliseconds. Without `ms` only with its parent. */
export function startDeadline(
  clock: Clock,
  ms: number | undefined,
  parent: AbortSignal | undefined,
  reason: () => Error,
): Deadline {
  const timer = new AbortController();
  const finished = new AbortController();
  if (ms !== undefined) {
    clock.sleep(ms, finished.signal).then(
      () => timer.abort(reason()),
      () => {},
    );
  }
  const signal = parent ? AbortSignal.any([parent, timer.signal]) : timer.signal;
  return { signal, end: () => finished.abort() };
}

/**
 * Settles like `promise`, or rejects with `signal.reason` as soon as the signal aborts.
 * The work behind the promise goes on: hand it the same signal so that it ends too.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {});
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A promise with its two ends in hand (Node 20 lacks `Promise.withResolvers`). */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** A signal that follows `parents`, for as many listeners as there is work: Node warns of more than ten. */
export function forMany(parents: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...parents]);
  setMaxListeners(0, signal);
  return signal;
}
