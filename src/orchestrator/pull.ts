import { forMany } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { type Descriptor, formatPlatform, type Platform } from '../core/descriptor.ts';
import { toLayerpullError } from '../core/errors.ts';
import type { NodeId } from '../core/ids.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { ImageRegistry, ResolvedImage } from '../registry/image-registry.ts';
import type { ImageReference } from '../registry/reference.ts';
import type { TransferBounds } from '../source/transfer.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { ImageStore } from '../store/image-store.ts';
import type { LayerResult, PullEvent, PullResult } from './events.ts';
import { pullLayer } from './layer.ts';
import { type PullPlan, planPull } from './plan.ts';
import { createSlots } from './pool.ts';

/** The store as a pull uses it. */
export interface PullStore {
  readonly blobs: BlobStore;
  readonly images: ImageStore;
  /** Keeps a manifest or an index under its digest. */
  putDocument(descriptor: Descriptor, bytes: Uint8Array): Promise<void>;
}

export interface PullParts {
  readonly registry: ImageRegistry;
  readonly store: PullStore;
  readonly locks: SessionLocks;
  readonly clock: Clock;
  readonly node: NodeId;
  /** Layers downloaded at once. */
  readonly concurrency: number;
  readonly transfer?: TransferBounds;
  readonly onEvent: (event: PullEvent) => void;
}

export interface PullRequest {
  readonly reference: ImageReference;
  /** The full normalised form of `reference`: the name under which the image is recorded. */
  readonly name: string;
  readonly platform: Platform;
}

/**
 * Pulls one image into the store: resolve, plan, bring every blob, and only then record the image, so that an image
 * in the store is always whole.
 *
 * @throws LayerpullError; the first failure stops the other layers, which keep what they have.
 */
export async function pullImage(
  request: PullRequest,
  parts: PullParts,
  signal: AbortSignal,
): Promise<PullResult> {
  const startedMs = parts.clock.now();
  const image = await parts.registry.resolve(request.reference, request.platform, signal);
  const plan = planPull(image);
  announce(request, image, plan, parts);
  const layers = await pullBlobs(image, plan, parts, signal);
  await recordImage(request, image, parts.store);
  const result = summarise(request, image, plan, layers, parts, startedMs);
  parts.onEvent({ kind: 'done', result });
  return result;
}

function announce(request: PullRequest, image: ResolvedImage, plan: PullPlan, parts: PullParts): void {
  parts.onEvent({
    kind: 'resolved',
    reference: request.name,
    digest: imageDigest(image),
    manifestDigest: image.manifest.descriptor.digest,
    platform: image.platform,
    layers: plan.blobs,
  });
}

async function pullBlobs(
  image: ResolvedImage,
  plan: PullPlan,
  parts: PullParts,
  signal: AbortSignal,
): Promise<LayerResult[]> {
  const failed = new AbortController();
  const anyEnd = forMany([signal, failed.signal]);
  const slots = createSlots(parts.concurrency);
  const source = parts.registry.blobs(image.reference);
  const runs = plan.blobs.map(async (blob) => {
    try {
      return await pullLayer(blob, { ...parts, slots, source, signal: anyEnd });
    } catch (error) {
      if (!anyEnd.aborted) tellFailure(blob, error, parts.onEvent);
      failed.abort(error);
      throw error;
    }
  });
  // Every run ends before the first failure is told, so that no lock and no file outlives the pull.
  await Promise.allSettled(runs);
  anyEnd.throwIfAborted();
  return await Promise.all(runs);
}

/** Told of the first layer only: the others end because of it. */
function tellFailure({ digest }: Descriptor, cause: unknown, onEvent: PullParts['onEvent']): void {
  const { code, message } = toLayerpullError(cause);
  onEvent({ kind: 'failed', digest, code, message });
}

/** The manifest goes in before the record that names it: what the record promises is there. */
async function recordImage(request: PullRequest, image: ResolvedImage, store: PullStore): Promise<void> {
  const { manifest, index } = image;
  await store.putDocument(manifest.descriptor, manifest.bytes);
  if (index) await store.putDocument(index.descriptor, index.bytes);
  await store.images.record({
    name: request.name,
    platform: image.platform,
    manifest: manifest.descriptor,
    ...(index ? { index: index.descriptor } : {}),
  });
}

function summarise(
  request: PullRequest,
  image: ResolvedImage,
  plan: PullPlan,
  layers: readonly LayerResult[],
  parts: PullParts,
  startedMs: number,
): PullResult {
  const bytesFrom = (kind: string) => sum(layers.filter((layer) => layer.source.kind === kind));
  return {
    reference: request.name,
    digest: imageDigest(image),
    manifestDigest: image.manifest.descriptor.digest,
    platform: formatPlatform(image.platform),
    node: parts.node,
    store: parts.store.blobs.path,
    layers,
    bytesFromRegistry: bytesFrom('registry'),
    bytesFromPeers: bytesFrom('peer'),
    bytesSaved: Math.max(0, plan.totalBytes - sum(layers)),
    durationMs: Math.round(parts.clock.now() - startedMs),
  };
}

function sum(layers: readonly LayerResult[]): number {
  return layers.reduce((bytes, layer) => bytes + layer.bytes, 0);
}

function imageDigest(image: ResolvedImage) {
  return (image.index ?? image.manifest).descriptor.digest;
}
