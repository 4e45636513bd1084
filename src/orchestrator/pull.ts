import { forMany } from '../core/abort.ts';
import { type Descriptor, formatPlatform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { toLayerpullError } from '../core/errors.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { ImageRegistry, ResolvedImage } from '../registry/image-registry.ts';
import type { TransferBounds } from '../source/transfer.ts';
import type { ImageRecord, ImageStore } from '../store/image-store.ts';
import type { LayerResult, PullResult } from './events.ts';
import { explainingForeign } from './foreign.ts';
import { keepingAll, type SharedStore } from './keep.ts';
import { pullLayer } from './layer.ts';
import { type PullOutput, writeOutput } from './output.ts';
import type { PeerReading } from './peers.ts';
import { type PullPlan, planPull } from './plan.ts';
import { createSlots, createTurns } from './pool.ts';
import { announce, neededBy, type PullRequest, recordsOf, summarise, type Teller } from './summary.ts';

/** The store as a pull uses it. */
export interface PullStore extends SharedStore {
  readonly images: ImageStore;
  /** Keeps a manifest or an index under its digest. */
  putDocument(descriptor: Descriptor, bytes: Uint8Array): Promise<void>;
}

export interface PullParts extends Teller {
  readonly registry: ImageRegistry;
  readonly store: PullStore;
  readonly locks: SessionLocks;
  /** Layers downloaded at once. */
  readonly concurrency: number;
  readonly transfer?: TransferBounds;
  /** Other nodes to read layers from. Default: none. */
  readonly peers?: PeerReading | undefined;
  /** Hears of each blob that is whole in the store, however it came there. */
  readonly onStored?: ((digest: Digest) => void) | undefined;
  /** Where the image is written besides the store. */
  readonly output?: PullOutput | undefined;
}

/**
 * Pulls one resolved image into the store: plan, bring every blob, and only then record the image, so that an image
 * in the store is always whole.
 *
 * @throws LayerpullError; the first failure stops the other layers, which keep what they have.
 */
export async function pullImage(
  request: PullRequest,
  parts: PullParts,
  signal: AbortSignal,
): Promise<PullResult> {
  const { image } = request;
  const plan = planPull(image);
  announce(request, plan, parts);
  const keep = { name: request.name, node: parts.node, needed: neededBy(image, plan) };
  const bring = async () => {
    await storeEmbedded(image, plan, parts.store);
    const layers = await pullBlobs(image, plan, parts, signal);
    await recordImage(request, image, parts.store);
    return layers;
  };
  const result = await keepingAll(keep, parts.store, bring, async (layers) => {
    const output = await writeOutput(image, plan.totalBytes, parts, signal);
    const summary = summarise(request, plan, layers, parts.store.blobs.path, parts);
    return output ? { ...summary, output } : summary;
  });
  parts.onEvent({ kind: 'done', result });
  return result;
}

/** What stands in the manifest needs no request: it is there before its turn comes. */
async function storeEmbedded({ embedded }: ResolvedImage, plan: PullPlan, store: PullStore): Promise<void> {
  for (const blob of plan.blobs) {
    const bytes = embedded.get(blob.digest);
    if (bytes) await store.putDocument(blob, bytes);
  }
}

async function pullBlobs(
  image: ResolvedImage,
  plan: PullPlan,
  parts: PullParts,
  signal: AbortSignal,
): Promise<LayerResult[]> {
  const failed = new AbortController();
  const anyEnd = forMany([signal, failed.signal]);
  const nextTurn = createTurns(createSlots(parts.concurrency));
  const source = explainingForeign(parts.registry.blobs(image.reference));
  const runs = plan.blobs.map(async (blob) => {
    const { slots, end } = nextTurn();
    try {
      const result = await pullLayer(blob, { ...parts, slots, source, signal: anyEnd });
      parts.onStored?.(blob.digest);
      return result;
    } catch (error) {
      if (!anyEnd.aborted) tellFailure(blob, error, parts.onEvent);
      failed.abort(error);
      throw error;
    } finally {
      end();
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

/**
 * The documents go in before the records that name them: what a record promises is there. The platform that was asked
 * for is recorded last, which is the one that has the name.
 */
async function recordImage({ name }: PullRequest, image: ResolvedImage, store: PullStore): Promise<void> {
  for (const { descriptor, bytes } of image.documents) await store.putDocument(descriptor, bytes);
  const records = recordsOf(name, image);
  const main = records.at(-1);
  const others = records.slice(0, -1);
  const known = others.length > 0 ? await store.images.list() : [];
  for (const one of others) if (!known.some((other) => isSame(one, other))) await store.images.record(one);
  if (main) await store.images.record(main);
}

function isSame(one: ImageRecord, other: ImageRecord): boolean {
  return (
    one.name === other.name &&
    formatPlatform(one.platform) === formatPlatform(other.platform) &&
    one.manifest.digest === other.manifest.digest &&
    one.index?.digest === other.index?.digest
  );
}
