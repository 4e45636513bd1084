import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/** A resource of its own for each number. */
export function digest(number: number): string {
  return `sha256:${number.toString(16).padStart(64, '0')}`;
}

/** Calls `work` for every item, for at most `limit` at once. @throws the first error */
export async function forEach<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const takeTurns = async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: limit }, takeTurns));
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** A count in as many parts, of which none is larger than another by more than one. */
export function shares(count: number, parts: number): number[] {
  return range(parts).map((part) => Math.floor((count + parts - 1 - part) / parts));
}

/** @throws an error that names `what` when the promise takes longer */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${ms} ms passed without ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How often `work` ended in `seconds`, per second, when `callers` do it again and again; a second of warm-up first. */
export async function ratePerSecond(
  callers: number,
  seconds: number,
  work: (caller: number) => Promise<void>,
): Promise<number> {
  const begin = performance.now() + 1_000;
  const end = begin + seconds * 1_000;
  let done = 0;
  const repeat = async (caller: number) => {
    for (let now = 0; now < end; ) {
      await work(caller);
      now = performance.now();
      if (now >= begin && now < end) done += 1;
    }
  };
  await Promise.all(range(callers).map(repeat));
  return done / seconds;
}
