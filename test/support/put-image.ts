import { systemClock } from '../../src/core/clock.ts';
import { type Descriptor, mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { openStore } from '../../src/store/oci-layout.ts';

export interface StoredImageOptions {
  readonly name: string;
  readonly platform?: Platform;
  readonly layers?: readonly string[];
  /** The `config` of the image's config. */
  readonly run?: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface PutImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Puts an image into the store in `folder` without any registry. */
export async function putImage(folder: string, options: StoredImageOptions): Promise<PutImage> {
  const { name, platform = { os: 'linux', architecture: 'amd64' }, run = {}, annotations } = options;
  const store = await openStore({ path: folder, clock: systemClock });
  const put = async (mediaType: string, content: Buffer): Promise<Descriptor> => {
    const descriptor = { mediaType, digest: digestOf(content), size: content.length };
    await store.putDocument(descriptor, content);
    return descriptor;
  };
  const config = await put(
    mediaTypes.ociConfig,
    Buffer.from(JSON.stringify({ ...platform, created: '2026-01-02T03:04:05Z', config: run })),
  );
  const layers: Descriptor[] = [];
  for (const layer of options.layers ?? [])
    layers.push(await put(mediaTypes.ociLayerGzip, Buffer.from(layer)));
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, annotations };
  const manifest = await put(mediaTypes.ociManifest, Buffer.from(JSON.stringify(document)));
  await store.images.record({ name, platform, manifest });
  return { manifest, config, layers };
}
