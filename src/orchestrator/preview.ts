import { type Descriptor, formatPlatform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { ResolvedImage } from '../registry/image-registry.ts';
import type { PlatformResult } from './events.ts';
import { planPull, platformsOf } from './plan.ts';

/** `embedded`: the manifest itself brings it. */
export type BlobState = 'present' | 'embedded' | 'missing';

export interface PreviewedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  readonly state: BlobState;
}

/** The document of `pull --dry-run --json`: what a pull would do now. */
export interface PullPreview {
  readonly dryRun: true;
  /** The full normalised reference. */
  readonly reference: string;
  /** What the reference stands for: the index's digest where there is one. */
  readonly digest: Digest;
  readonly manifestDigest: Digest;
  /** `os/arch[/variant]` */
  readonly platform: string;
  readonly platforms: readonly PlatformResult[];
  /** Absolute path of the store, which may not be there yet. */
  readonly store: string;
  /** In the order of the pull; each digest once. */
  readonly layers: readonly PreviewedBlob[];
  /** Bytes of all layers. */
  readonly bytesTotal: number;
  readonly bytesPresent: number;
  /** Bytes that a pull would transfer, from wherever; less where an earlier pull was broken off. */
  readonly bytesToFetch: number;
}

export interface PreviewRequest {
  readonly name: string;
  readonly image: ResolvedImage;
  readonly store: string;
  /** Whether the store has the blob. */
  readonly has: (blob: Descriptor) => Promise<boolean>;
}

/** What a pull of a resolved image would find and bring. Changes nothing. */
export async function previewPull({ name, image, store, has }: PreviewRequest): Promise<PullPreview> {
  const plan = planPull(image);
  const layers: PreviewedBlob[] = [];
  for (const blob of plan.blobs) layers.push({ ...blob, state: await stateOf(blob, image, has) });
  const bytesOf = (state: BlobState) =>
    layers.reduce((sum, layer) => sum + (layer.state === state ? layer.size : 0), 0);
  return {
    dryRun: true,
    reference: name,
    digest: (image.index ?? image.manifest).descriptor.digest,
    manifestDigest: image.manifest.descriptor.digest,
    platform: formatPlatform(image.platform),
    platforms: platformsOf(image),
    store,
    layers,
    bytesTotal: plan.totalBytes,
    bytesPresent: bytesOf('present'),
    bytesToFetch: bytesOf('missing'),
  };
}

async function stateOf(
  blob: Descriptor,
  { embedded }: ResolvedImage,
  has: PreviewRequest['has'],
): Promise<BlobState> {
  if (await has(blob)) return 'present';
  return embedded.has(blob.digest) ? 'embedded' : 'missing';
}
