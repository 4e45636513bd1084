import { createCipheriv, createHash } from 'node:crypto';
import { type Descriptor, mediaTypes, type Platform } from '../../../src/core/descriptor.ts';
import { type DigestAlgorithm, digestOf } from '../../../src/core/digest.ts';

/** Content with its descriptor. */
export interface FakeBlob extends Descriptor {
  readonly bytes: Buffer;
}

/** One platform's image. */
export interface FakeManifest extends FakeBlob {
  readonly platform: Platform;
  readonly config: FakeBlob;
  readonly layers: readonly FakeBlob[];
}

export interface ImageOptions {
  /** Default `library/app`. */
  readonly repository?: string;
  /** Default `latest`. */
  readonly tag?: string;
  /** Each layer as its bytes, or as a size in bytes for made ones. Default: 3,000, 2,000 and 1,000 bytes. */
  readonly layers?: readonly (Buffer | number)[];
  /** Given: the tag points to an index with one manifest for each. Absent: to one linux/amd64 manifest. */
  readonly platforms?: readonly Platform[];
  /** Docker's media types instead of those of OCI. */
  readonly docker?: boolean;
  /** Algorithm of every digest. Default sha256. */
  readonly algorithm?: DigestAlgorithm;
  /** The index also lists an attestation manifest with platform unknown/unknown. */
  readonly attestation?: boolean;
}

export interface MadeContent {
  readonly index: FakeBlob | undefined;
  readonly manifests: readonly FakeManifest[];
  readonly layers: readonly FakeBlob[];
}

const defaultPlatform: Platform = { os: 'linux', architecture: 'amd64' };

/** The same `seed` and `size` give the same bytes, which no compression shortens. */
export function madeBytes(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

export function makeBlob(bytes: Buffer, mediaType: string, algorithm: DigestAlgorithm = 'sha256'): FakeBlob {
  return { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length, bytes };
}

export function jsonBlob(value: unknown, mediaType: string, algorithm?: DigestAlgorithm): FakeBlob {
  return makeBlob(Buffer.from(JSON.stringify(value, null, 2)), mediaType, algorithm);
}

export function descriptorOf({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

export function makeContent(options: ImageOptions): MadeContent {
  const { layers: wanted = [3_000, 2_000, 1_000], docker = false, algorithm = 'sha256' } = options;
  const name = `${options.repository ?? 'library/app'}:${options.tag ?? 'latest'}`;
  const layerType = docker ? 'application/vnd.docker.image.rootfs.diff.tar.gzip' : mediaTypes.ociLayerGzip;
  const layers = wanted.map((one, index) =>
    makeBlob(typeof one === 'number' ? madeBytes(`${name}#${index}`, one) : one, layerType, algorithm),
  );
  const platforms = options.platforms ?? [defaultPlatform];
  const manifests = platforms.map((platform) => makeManifest(platform, layers, docker, algorithm));
  const index = options.platforms || options.attestation ? makeIndex(manifests, options) : undefined;
  return { index, manifests, layers };
}

function makeManifest(
  platform: Platform,
  layers: readonly FakeBlob[],
  docker: boolean,
  algorithm: DigestAlgorithm,
): FakeManifest {
  const diffIds = layers.map((layer) => digestOf(layer.bytes));
  const config = jsonBlob(
    { ...platform, config: {}, rootfs: { type: 'layers', diff_ids: diffIds } },
    docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig,
    algorithm,
  );
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const manifest = jsonBlob(
    { schemaVersion: 2, mediaType, config: descriptorOf(config), layers: layers.map(descriptorOf) },
    mediaType,
    algorithm,
  );
  return { ...manifest, platform, config, layers };
}

function makeIndex(manifests: readonly FakeManifest[], options: ImageOptions): FakeBlob {
  const mediaType = options.docker ? mediaTypes.dockerManifestList : mediaTypes.ociIndex;
  const entries: unknown[] = manifests.map((one) => ({ ...descriptorOf(one), platform: one.platform }));
  if (options.attestation) entries.push(attestationEntry());
  return jsonBlob({ schemaVersion: 2, mediaType, manifests: entries }, mediaType, options.algorithm);
}

function attestationEntry() {
  return {
    ...descriptorOf(makeBlob(Buffer.from('attestation'), mediaTypes.ociManifest)),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
  };
}
