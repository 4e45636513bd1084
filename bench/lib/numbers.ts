/** @throws on an empty list */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('no values');
  return (lower + upper) / 2;
}

/** `2.31x` */
export function ratio(value: number, base: number): string {
  return `${(value / base).toFixed(2)}x`;
}

/** `64MiB`, `1GiB`, `4096`: bytes. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:([KMG])iB)?$/.exec(text);
  if (!match) throw new Error(`"${text}" is not a size such as 64MiB`);
  const power = match[2] ? 'KMG'.indexOf(match[2]) + 1 : 0;
  return Math.round(Number(match[1]) * 1024 ** power);
}

/** A whole number from 1. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new Error(`"${text}" is not a number from 1`);
}

export function formatMib(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}

export function formatMs(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
