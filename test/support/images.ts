import { createHash, type Hash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGzip, gzipSync } from 'node:zlib';
import { busyboxTar } from './busybox-layer.ts';
import { mediaTypesOf } from './media-types.ts';
import { noiseTar } from './tar-layer.ts';
import { type Uploaded, type UploadTarget, uploadBlob, uploadManifest } from './uploads.ts';

export interface ImageOptions {
  /** The first layer is a real busybox. */
  readonly busybox?: boolean;
  /**
   * Further layers of noise, by the bytes of their one file; the blob is a tar and up to 2 KiB bigger. Layers with the
   * same size and seed are the same layer. Any size is streamed.
   */
  readonly layers?: readonly (number | { readonly bytes: number; readonly seed: string })[];
  /** `os/arch[/variant]`. Default `linux/amd64`. More than one makes an index, or `index: true`. */
  readonly platforms?: readonly string[];
  readonly index?: boolean;
  /** The layers of noise are wrapped in gzip. */
  readonly gzip?: boolean;
  /** Docker's media types (v2 schema 2) in place of OCI's. */
  readonly docker?: boolean;
}

export interface PushedPlatform {
  readonly platform: string;
  readonly manifestDigest: string;
  readonly config: Uploaded;
  /** As in the manifest: one that is listed twice is here twice. */
  readonly layers: readonly Uploaded[];
}

/** What was pushed; the fields of PushedPlatform are those of the first platform. */
export interface PushedImage extends PushedPlatform {
  /** `127.0.0.1:PORT/REPOSITORY:TAG` */
  readonly reference: string;
  /** What the tag stands for: the index where there is one, else the manifest. */
  readonly digest: string;
  readonly platforms: readonly PushedPlatform[];
}

interface Layer extends Uploaded {
  readonly mediaType: string;
  readonly diffId: string;
}

/** Makes an image and pushes it as `REPOSITORY[:TAG]` over the registry's own API, tag `latest` by default. */
export async function pushImage(
  target: UploadTarget,
  name: string,
  options: ImageOptions = {},
): Promise<PushedImage> {
  const [repository = name, tag = 'latest'] = name.split(':');
  const wanted = options.platforms ?? ['linux/amd64'];
  const types = mediaTypesOf(options);
  const withIndex = options.index ?? wanted.length > 1;
  const manifests: (Uploaded & PushedPlatform)[] = [];
  for (const platform of wanted) {
    manifests.push(await pushPlatform(target, repository, withIndex ? '' : tag, platform, options));
  }
  const first = manifests[0];
  if (!first) throw new Error('an image needs a platform');
  const entries = manifests.map((manifest) => indexEntry(manifest, types.manifest));
  const index = { schemaVersion: 2, mediaType: types.index, manifests: entries };
  const top = withIndex ? await uploadManifest(target, repository, tag, index) : first;
  const reference = `${new URL(target.url).host}/${repository}:${tag}`;
  return { ...first, reference, digest: top.digest, platforms: manifests };
}

async function pushPlatform(
  target: UploadTarget,
  repository: string,
  tag: string,
  platform: string,
  options: ImageOptions,
): Promise<Uploaded & PushedPlatform> {
  const types = mediaTypesOf(options);
  const layers = await pushLayers(target, repository, options);
  const config = await uploadBlob(target, repository, [configOf(platform, layers)]);
  const manifest = await uploadManifest(target, repository, tag, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, ...config },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  const uploads = layers.map(({ digest, size }) => ({ digest, size }));
  return { ...manifest, platform, manifestDigest: manifest.digest, config, layers: uploads };
}

async function pushLayers(target: UploadTarget, repository: string, options: ImageOptions): Promise<Layer[]> {
  const types = mediaTypesOf(options);
  const layers: Layer[] = [];
  if (options.busybox) {
    const tar = busyboxTar();
    const upload = await uploadBlob(target, repository, [gzipSync(tar)]);
    layers.push({ ...upload, mediaType: types.gzipLayer, diffId: sha256(tar) });
  }
  for (const layer of options.layers ?? []) {
    const { bytes, seed } = typeof layer === 'number' ? { bytes: layer, seed: randomUUID() } : layer;
    if (options.gzip) {
      const hash = createHash('sha256');
      const wrapped = Readable.from(hashing(noiseTar(bytes, seed), hash)).pipe(createGzip({ level: 0 }));
      const upload = await uploadBlob(target, repository, wrapped);
      layers.push({ ...upload, mediaType: types.gzipLayer, diffId: `sha256:${hash.digest('hex')}` });
      continue;
    }
    const upload = await uploadBlob(target, repository, noiseTar(bytes, seed));
    layers.push({ ...upload, mediaType: types.tarLayer, diffId: upload.digest });
  }
  return layers;
}

function* hashing(pieces: Iterable<Uint8Array>, hash: Hash): Generator<Uint8Array> {
  for (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
}

function configOf(platform: string, layers: readonly Layer[]): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      created: '2024-01-01T00:00:00Z',
      ...platformFields(platform),
      config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
      history: layers.map((_, at) => ({ created: '2024-01-01T00:00:00Z', created_by: `layer ${at}` })),
    }),
  );
}

function indexEntry(manifest: Uploaded & PushedPlatform, mediaType: string) {
  const { digest, size, platform } = manifest;
  return { mediaType, digest, size, platform: platformFields(platform) };
}

function platformFields(platform: string) {
  const [os, architecture, variant] = platform.split('/');
  return { os, architecture, ...(variant ? { variant } : {}) };
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
