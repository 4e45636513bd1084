/**
 * Reads a whole body of at most `maxBytes`. A longer one is left at once and answered with `tooLong`.
 */
export async function readWhole(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  tooLong: () => Error,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** The first `maxBytes` of a body, and what came of it when the connection breaks: good for error messages only. */
export async function readBeginning(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= maxBytes) break;
    }
  } catch {
    // What came until here is all there is to tell.
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

/** The value of `Content-Length`; undefined when absent or not a plain number. */
export function contentLength(headers: Readonly<Record<string, string>>): number | undefined {
  const text = headers['content-length'];
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}
