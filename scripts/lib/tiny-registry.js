import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};

/**
 * Serves an image of two layers on loopback.
 *
 * @returns {Promise<{ reference: string, close: () => void }>}
 */
export async function serveTinyImage() {
  const { manifest, blobs } = tinyImage();
  const server = createServer((request, response) => {
    const [, kind, name] = /\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
    const bytes = kind === 'manifests' ? manifest : blobs.get(name);
    if (!bytes) return void response.writeHead(request.url === '/v2/' ? 200 : 404).end();
    response.writeHead(200, {
      'content-type': kind === 'manifests' ? mediaTypes.manifest : 'application/octet-stream',
      'content-length': bytes.length,
      'docker-content-digest': digestOf(bytes),
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => void server.close().closeAllConnections();
  return { reference: `127.0.0.1:${server.address().port}/layerpull/tiny:latest`, close };
}

function tinyImage() {
  const layers = [Buffer.alloc(100_000, 'a'), Buffer.alloc(100_000, 'b')];
  const rootfs = { type: 'layers', diff_ids: layers.map(digestOf) };
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs, config: {} }));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: describe(mediaTypes.config, config),
      layers: layers.map((layer) => describe(mediaTypes.layer, layer)),
    }),
  );
  return { manifest, blobs: new Map([config, ...layers].map((bytes) => [digestOf(bytes), bytes])) };
}

function describe(mediaType, bytes) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function digestOf(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
