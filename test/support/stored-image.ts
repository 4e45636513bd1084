import { type Descriptor, mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { type Digest, type DigestAlgorithm, digestOf } from '../../src/core/digest.ts';
import type { FakeBlobStore } from './fake-blob-store.ts';
import { mediaTypesOf } from './media-types.ts';
import { noiseTar } from './tar-layer.ts';

export interface StoredLayer {
  /** Without compression. Default: a tar with one small file. */
  readonly tar?: Uint8Array;
  /** What the blob holds. Default: the tar. */
  readonly packed?: Uint8Array;
  readonly mediaType?: string;
  readonly algorithm?: DigestAlgorithm;
  /** What the config says. Default: the truth. */
  readonly diffId?: Digest;
  /** Named in the manifest, but not in the store. */
  readonly isAbsent?: boolean;
}

export interface StoredImageOptions {
  readonly docker?: boolean;
  readonly algorithm?: DigestAlgorithm;
  readonly platform?: Platform;
  /** Fields of the config beside the necessary ones. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface StoredImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly Digest[];
}

/** Puts an image into a store, whole. */
export function storeImage(
  store: FakeBlobStore,
  layers: readonly StoredLayer[],
  options: StoredImageOptions = {},
): StoredImage {
  const types = mediaTypesOf(options);
  const { algorithm = 'sha256', platform = { os: 'linux', architecture: 'amd64' } } = options;
  const made = layers.map((layer, at) => {
    const tar = layer.tar ?? smallTar(`${at}`);
    const bytes = layer.packed ?? tar;
    const blob = put(store, layer.mediaType ?? types.tarLayer, bytes, layer.algorithm);
    if (layer.isAbsent) store.blobs.delete(blob.digest);
    return { blob, diffId: layer.diffId ?? digestOf(tar, layer.algorithm) };
  });
  const diffIds = made.map(({ diffId }) => diffId);
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const config = putJson(store, types.config, { ...platform, rootfs, ...options.config }, algorithm);
  const blobs = made.map(({ blob }) => blob);
  const document = { schemaVersion: 2, mediaType: types.manifest, config, layers: blobs };
  return { manifest: putJson(store, types.manifest, document, algorithm), config, layers: blobs, diffIds };
}

/** Puts an index of these manifests into the store. */
export function storeIndex(
  store: FakeBlobStore,
  entries: readonly (Descriptor & { readonly platform?: Platform })[],
  mediaType: string = mediaTypes.ociIndex,
): Descriptor {
  return putJson(store, mediaType, { schemaVersion: 2, mediaType, manifests: entries });
}

export function smallTar(seed: string, bytes = 100): Buffer {
  return Buffer.concat([...noiseTar(bytes, seed)]);
}

function putJson(
  store: FakeBlobStore,
  mediaType: string,
  value: unknown,
  algorithm?: DigestAlgorithm,
): Descriptor {
  return put(store, mediaType, Buffer.from(JSON.stringify(value)), algorithm);
}

function put(
  store: FakeBlobStore,
  mediaType: string,
  bytes: Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): Descriptor {
  const digest = digestOf(bytes, algorithm);
  store.blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}
