/** @throws on an empty list */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('no values');
  return (lower + upper) / 2;
}

/** @throws on an empty list */
export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values');
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The smallest value that `percent` of all do not exceed. @throws on an empty list */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
  if (value === undefined) throw new Error('no values');
  return value;
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

/** With fractions of a millisecond while they matter. */
export function formatShortMs(ms: number): string {
  return ms < 100 ? `${ms.toFixed(2)} ms` : formatMs(ms);
}

/** `12,345/s` */
export function formatRate(perSecond: number): string {
  return `${Math.round(perSecond).toLocaleString('en')}/s`;
}
