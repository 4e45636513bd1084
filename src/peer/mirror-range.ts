import type { ByteRange } from '../store/blob-store.ts';

export type AskedRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  /** None of these bytes are there. */
  | { readonly kind: 'none' };

const longestHeader = 100;

/**
 * Reads `Range` (RFC 9110, section 14.2) for content of `size` bytes. What is no single range of bytes is ignored, as
 * the specification allows.
 */
export function readRange(header: string | undefined, size: number): AskedRange {
  if (header === undefined || header.length > longestHeader) return { kind: 'whole' };
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header);
  const [, first = '', last = ''] = match ?? [];
  if (!match || (first === '' && last === '')) return { kind: 'whole' };
  if (first === '') return fromTo(Math.max(0, size - Number(last)), size - 1, size);
  if (last !== '' && Number(last) < Number(first)) return { kind: 'whole' };
  return fromTo(Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1), size);
}

function fromTo(start: number, end: number, size: number): AskedRange {
  return start >= size || start > end ? { kind: 'none' } : { kind: 'part', range: { start, end } };
}
