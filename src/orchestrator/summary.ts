import type { Clock } from '../core/clock.ts';
import { type Descriptor, formatPlatform } from '../core/descriptor.ts';
import type { NodeId } from '../core/ids.ts';
import type { ResolvedImage } from '../registry/image-registry.ts';
import type { ImageRecord } from '../store/image-store.ts';
import type { LayerResult, PullEvent, PullResult } from './events.ts';
import { type PullPlan, platformsOf } from './plan.ts';

export interface PullRequest {
  /** The full normalised reference: the name under which the image is recorded. */
  readonly name: string;
  /** What it stands for. */
  readonly image: ResolvedImage;
  /** When the pull began, by the clock's `now`: resolving is a part of it. */
  readonly startedMs: number;
}

/** Who pulls, and who hears of it. */
export interface Teller {
  readonly node: NodeId;
  readonly clock: Clock;
  readonly onEvent: (event: PullEvent) => void;
}

/** Tells what the pull consists of, and what of it is left out. */
export function announce(request: PullRequest, plan: PullPlan, { onEvent }: Teller): void {
  const { image } = request;
  onEvent({
    kind: 'resolved',
    reference: request.name,
    digest: imageDigest(image),
    manifestDigest: image.manifest.descriptor.digest,
    platform: image.platform,
    platforms: platformsOf(image),
    layers: plan.blobs,
  });
  warnOfLeftOut(request, onEvent);
}

function warnOfLeftOut({ name, image: { leftOut } }: PullRequest, onEvent: Teller['onEvent']): void {
  const [first] = leftOut;
  if (!first) return;
  const more = leftOut.length > 1 ? ` and ${leftOut.length - 1} more` : '';
  onEvent({
    kind: 'warning',
    code: 'unsupported_manifest',
    message: `the index of ${name} lists ${first.digest} of type ${first.mediaType}${more}: not pulled`,
    hint: 'take what is no image with a tool like oras',
  });
}

/** `store`: its absolute path. */
export function summarise(
  request: PullRequest,
  plan: PullPlan,
  layers: readonly LayerResult[],
  store: string,
  { node, clock }: Teller,
): PullResult {
  const { image } = request;
  const bytesFromPeers = layers.reduce((bytes, layer) => bytes + (layer.bytesFromPeers ?? 0), 0);
  return {
    reference: request.name,
    digest: imageDigest(image),
    manifestDigest: image.manifest.descriptor.digest,
    platform: formatPlatform(image.platform),
    platforms: platformsOf(image),
    node,
    store,
    layers,
    bytesFromRegistry: sum(layers) - bytesFromPeers,
    bytesFromPeers,
    bytesSaved: Math.max(0, plan.totalBytes - sum(layers)),
    bytesSpared: layers.reduce((bytes, layer) => bytes + sparedBy(layer), 0),
    durationMs: Math.round(clock.now() - request.startedMs),
  };
}

/** Never more than the layer: bytes that were thrown away spared nothing. */
function sparedBy({ outcome, size, bytesFromPeers = 0 }: LayerResult): number {
  return outcome === 'skipped' ? size : Math.min(size, bytesFromPeers);
}

function sum(layers: readonly LayerResult[]): number {
  return layers.reduce((bytes, layer) => bytes + layer.bytes, 0);
}

function imageDigest(image: ResolvedImage) {
  return (image.index ?? image.manifest).descriptor.digest;
}

/** An image as it is recorded: one entry for each platform, that of the platform asked for last, which has the name. */
export function recordsOf(name: string, image: ResolvedImage): ImageRecord[] {
  const index = image.index ? { index: image.index.descriptor } : {};
  const [main, ...others] = image.platforms.map(({ platform, manifest }) => ({
    ...{ name, platform, manifest: manifest.descriptor },
    ...index,
  }));
  return main ? [...others, main] : others;
}

/** Every blob that the image needs, documents included. */
export function neededBy({ documents }: ResolvedImage, plan: PullPlan): Descriptor[] {
  return [...plan.blobs, ...documents.map(({ descriptor }) => descriptor)];
}
