/** Bytes `start` to `end`, both inclusive, of `size`. */
export interface WantedRange {
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

/**
 * What a request for a blob gets (RFC 9110, section 14.2).
 *
 * `whole`: all of it, with status 200. `unknown`: the blob grows, and the request does not say how long it will be.
 */
export type Wanted =
  | { readonly kind: 'whole' | 'part'; readonly range: WantedRange }
  | { readonly kind: 'unsatisfiable'; readonly size: number }
  | { readonly kind: 'unknown' };

/** @param size bytes of the blob; absent while it grows: then a closed range says it, from its end */
export function wantedOf(header: string | undefined, size: number | undefined): Wanted {
  const range = parseRange(header);
  if (size === undefined) return wantedOfGrowing(range);
  if (!range) return { kind: 'whole', range: { start: 0, end: size - 1, size } };
  const start = range.start ?? Math.max(0, size - (range.end ?? 0));
  const end = range.start === undefined ? size - 1 : Math.min(size - 1, range.end ?? size - 1);
  if (start >= size) return { kind: 'unsatisfiable', size };
  return { kind: 'part', range: { start, end, size } };
}

interface ParsedRange {
  /** Absent: the last `end` bytes. */
  readonly start?: number;
  readonly end?: number;
}

function wantedOfGrowing(range: ParsedRange | undefined): Wanted {
  if (range?.start === undefined || range.end === undefined) return { kind: 'unknown' };
  const { start, end } = range;
  return { kind: 'part', range: { start, end, size: end + 1 } };
}

/** Undefined for several ranges, and for what is none: those are ignored. */
function parseRange(header: string | undefined): ParsedRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return { end: Number(last) };
  if (last === '') return { start: Number(first) };
  return Number(first) > Number(last) ? undefined : { start: Number(first), end: Number(last) };
}
