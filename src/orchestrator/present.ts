import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { ResolvedImage } from '../registry/image-registry.ts';
import type { ImageRecord } from '../store/image-store.ts';
import type { LayerResult, PullResult } from './events.ts';
import { type PullPlan, planPull } from './plan.ts';
import { announce, type PullRequest, recordsOf, summarise, type Teller } from './summary.ts';

export interface PresentParts extends Teller {
  readonly store: {
    /** Absolute. */
    readonly path: string;
    has(descriptor: Descriptor): Promise<boolean>;
    /** A document's verified bytes. */
    read(digest: Digest): Promise<Uint8Array | undefined>;
    areRecorded(images: readonly ImageRecord[]): Promise<boolean>;
  };
}

/**
 * The end of a pull that has nothing to do, or undefined when something is missing: nothing was told or changed then.
 *
 * No claim is needed: blobs are looked at first and records after them. Whoever removes an image removes its record
 * before its blobs, so while there is the record, what was seen is there.
 */
export async function pullPresent(
  request: PullRequest,
  parts: PresentParts,
): Promise<PullResult | undefined> {
  const { name, image } = request;
  const { store, onEvent } = parts;
  const plan = planPull(image);
  if (!(await isWhole(image, plan, store)) || !(await store.areRecorded(recordsOf(name, image))))
    return undefined;
  announce(request, plan, parts);
  const layers = plan.blobs.map(toPresent);
  for (const { mediaType: _, ...layer } of layers) onEvent({ kind: 'finished', ...layer });
  const result = summarise(request, plan, layers, store.path, parts);
  onEvent({ kind: 'done', result });
  return result;
}

/** Documents are read: they are small, and a damaged one is to be replaced. */
async function isWhole(image: ResolvedImage, plan: PullPlan, store: PresentParts['store']): Promise<boolean> {
  const blobs = plan.blobs.map((blob) => store.has(blob));
  const documents = image.documents.map(({ descriptor }) => store.read(descriptor.digest));
  return (await Promise.all([...blobs, ...documents])).every(Boolean);
}

function toPresent({ digest, size, mediaType }: Descriptor): LayerResult {
  return { digest, size, mediaType, outcome: 'present', source: { kind: 'store' }, bytes: 0, durationMs: 0 };
}
