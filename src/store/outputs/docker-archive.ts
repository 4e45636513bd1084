import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestHex } from '../../core/digest.ts';
import { LayerpullError } from '../../core/errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { legacyLayers, legacyVersion, repositoriesOf } from './docker-legacy.ts';
import {
  brokenImage,
  type Config,
  configSchema,
  manifestSchema,
  parseDocument,
  readDocument,
} from './documents.ts';
import type { ImageOutput, OutputImage } from './image-output.ts';
import { openLayerTar } from './layer-tar.ts';
import { isNondistributable } from './layer-types.ts';
import type { Target } from './sinks.ts';
import { type TarWriter, writeArchive } from './tar-writer.ts';

export interface DockerArchiveOptions {
  readonly target: Target;
  /** Folder for unpacked layers. */
  readonly drafts: string;
  /** Full names with tags. None: the image is loaded without a name. */
  readonly names: readonly string[];
}

interface Layer {
  readonly blob: Descriptor;
  readonly diffId: Digest;
}

interface DockerImage {
  readonly configDigest: Digest;
  readonly config: Config;
  readonly configBytes: Buffer;
  readonly layers: readonly Layer[];
}

/** What `docker load` and `podman load` read: a config, uncompressed layers, and `manifest.json` that lists them. */
export function dockerArchive({ target, drafts, names }: DockerArchiveOptions): ImageOutput {
  return {
    check: target.check,
    async write(image, blobs, signal) {
      const content = await readImage(image, blobs);
      return await writeArchive(await target.open(signal), signal, async (tar) => {
        await addLayers(tar, content.layers, { blobs, drafts, signal });
        addDescriptions(tar, content, names);
      });
    },
  };
}

async function readImage({ manifest }: OutputImage, blobs: BlobStore): Promise<DockerImage> {
  const content = parseDocument(manifestSchema, await readDocument(blobs, manifest), manifest);
  const configBytes = await readDocument(blobs, content.config);
  const config = parseDocument(configSchema, configBytes, content.config);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== content.layers.length) {
    throw brokenImage(
      `${content.config.digest} lists ${diffIds.length} layers, and its manifest ${content.layers.length}`,
    );
  }
  const layers = content.layers.flatMap((blob, at) => {
    const diffId = diffIds[at];
    return diffId ? [{ blob, diffId }] : [];
  });
  await refuseAbsent(layers, blobs);
  return { configDigest: content.config.digest, config, configBytes, layers };
}

/** Before the first byte is written. */
async function refuseAbsent(layers: readonly Layer[], blobs: BlobStore): Promise<void> {
  for (const { blob } of layers) {
    if (await blobs.has(blob)) continue;
    const isForeign = isNondistributable(blob);
    throw new LayerpullError(
      'blob_not_found',
      isForeign
        ? `${blob.digest} may not be distributed and is not in the store, so no archive can hold it`
        : `${blob.digest} is not in the store`,
      {
        origin: 'store',
        hint: isForeign ? 'write it with --output oci:, which leaves it out' : 'pull the image again',
      },
    );
  }
}

const tarOf = (diffId: Digest) => `${digestHex(diffId)}.tar`;

/** A layer that stands there twice, as the empty one often does, is written once. */
async function addLayers(
  tar: TarWriter,
  layers: readonly Layer[],
  options: Parameters<typeof openLayerTar>[2],
): Promise<void> {
  const written = new Set<Digest>();
  for (const { blob, diffId } of layers) {
    if (written.has(diffId)) continue;
    written.add(diffId);
    const layer = await openLayerTar(blob, diffId, options);
    try {
      await tar.addFile(tarOf(diffId), layer.size, layer.bytes());
    } finally {
      await layer.close();
    }
  }
}

function addDescriptions(
  tar: TarWriter,
  { configDigest, config, configBytes, layers }: DockerImage,
  names: readonly string[],
): void {
  const diffIds = layers.map(({ diffId }) => diffId);
  const configName = `${digestHex(configDigest)}.json`;
  tar.addDocument(configName, configBytes);
  const legacy = legacyLayers(diffIds, config, tarOf);
  for (const { id, json, tar: layer } of legacy) {
    tar.addDocument(`${id}/VERSION`, legacyVersion);
    tar.addDocument(`${id}/json`, json);
    tar.addLink(`${id}/layer.tar`, `../${layer}`);
  }
  const entry = { Config: configName, RepoTags: names, Layers: diffIds.map(tarOf) };
  tar.addDocument('manifest.json', JSON.stringify([entry]));
  const top = legacy.at(-1);
  if (top && names.length > 0) tar.addDocument('repositories', JSON.stringify(repositoriesOf(names, top.id)));
}
