import { createHash } from 'node:crypto';
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Where to push, as a RealRegistry is. */
export interface UploadTarget {
  readonly url: string;
  readonly authorization?: string | undefined;
}

export interface Uploaded {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** Streams bytes into a repository's blobs; their digest is computed on the way. */
export async function uploadBlob(
  target: UploadTarget,
  repository: string,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<Uploaded> {
  const hash = createHash('sha256');
  let size = 0;
  const counted = async function* () {
    for await (const chunk of bytes) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  const begun = await send(target, 'POST', `/v2/${repository}/blobs/uploads/`, 202);
  const sent = await send(target, 'PATCH', begun, 202, counted());
  const digest = `sha256:${hash.digest('hex')}`;
  await send(target, 'PUT', `${sent}${sent.includes('?') ? '&' : '?'}digest=${digest}`, 201);
  return { digest, size };
}

/** Stores a manifest under a tag or its digest. */
export async function uploadManifest(
  target: UploadTarget,
  repository: string,
  name: string,
  manifest: Readonly<Record<string, unknown>> & { readonly mediaType: string },
): Promise<Uploaded> {
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const path = `/v2/${repository}/manifests/${name || digest}`;
  await send(target, 'PUT', path, 201, [bytes], manifest.mediaType);
  return { digest, size: bytes.length };
}

/** One request; answers the Location that the registry names. */
async function send(
  target: UploadTarget,
  method: string,
  location: string,
  wantedStatus: number,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> = [],
  contentType = 'application/octet-stream',
): Promise<string> {
  const request = http.request(new URL(location, target.url), {
    method,
    headers: { 'content-type': contentType },
  });
  if (target.authorization) request.setHeader('authorization', target.authorization);
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  await Promise.all([answered, pipeline(Readable.from(body, { objectMode: false }), request)]);
  const response = await answered;
  const text = Buffer.concat(await response.toArray()).toString();
  if (response.statusCode === wantedStatus) return response.headers.location ?? '';
  throw new Error(`${method} ${location} answered ${response.statusCode}: ${text.slice(0, 500)}`);
}
