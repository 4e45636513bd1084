import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import { contentLength } from '../http/limits.ts';
import type { FollowedResponse } from '../http/redirects.ts';

/** A closed range, as some registries and caches handle open ones badly. Bytes 0 on need none, unless `always`. */
export function rangeHeader(offset: number, size: number, always = false): Record<string, string> {
  return offset === 0 && !always ? {} : { range: `bytes=${offset}-${size - 1}` };
}

/** Whether a 206 brings exactly the bytes from `offset` to the end (RFC 9110, section 14.4). */
export function bringsRange({ headers }: FollowedResponse, offset: number, size: number): boolean {
  const [, start, end, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  if (Number(start) !== offset || Number(end) !== size - 1) return false;
  return total === '*' || Number(total) === size;
}

/** @param expected bytes of the body. @throws LayerpullError before a byte is read */
export function checkHeaders({ headers, url }: FollowedResponse, layer: Descriptor, expected: number): void {
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity') {
    throw new LayerpullError('registry_protocol', `${url.host} encoded blob ${layer.digest} once more`, {
      hint: 'something before the registry compresses on its own; turn that off',
    });
  }
  const length = contentLength(headers);
  if (length !== undefined && length !== expected)
    throw wrongSize(url, layer, `${length} bytes, not ${expected}`);
}

export function wrongSize(url: URL, layer: Descriptor, difference: string): LayerpullError {
  return new LayerpullError('size_mismatch', `${url.host} sends blob ${layer.digest} with ${difference}`, {
    hint: 'the image was pushed wrongly, or something before the registry changes content',
  });
}
