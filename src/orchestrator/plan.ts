import { type Descriptor, formatPlatform } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { ResolvedImage } from '../registry/image-registry.ts';
import type { PlatformResult } from './events.ts';

/** What a pull has to bring into the store: of each manifest the config first, then the layers, each digest once. */
export interface PullPlan {
  readonly blobs: readonly Descriptor[];
  /** Bytes of all blobs. */
  readonly totalBytes: number;
}

/** As much of a resolved image as a plan needs. */
export interface Planned {
  readonly manifests: readonly Pick<ResolvedImage, 'config' | 'layers'>[];
}

/** @throws LayerpullError `invalid_manifest` when one digest is listed with two sizes */
export function planPull({ manifests }: Planned): PullPlan {
  const byDigest = new Map<string, Descriptor>();
  for (const blob of manifests.flatMap(({ config, layers }) => [config, ...layers])) {
    const known = byDigest.get(blob.digest);
    if (known && known.size !== blob.size) throw twoSizes(blob, known);
    if (!known) byDigest.set(blob.digest, blob);
  }
  const blobs = [...byDigest.values()];
  return { blobs, totalBytes: blobs.reduce((sum, blob) => sum + blob.size, 0) };
}

/** The platforms of an image, as results name them. */
export function platformsOf({ platforms }: ResolvedImage): PlatformResult[] {
  return platforms.map(({ platform, manifest }) => ({
    platform: formatPlatform(platform),
    manifestDigest: manifest.descriptor.digest,
  }));
}

function twoSizes(blob: Descriptor, known: Descriptor): LayerpullError {
  return new LayerpullError(
    'invalid_manifest',
    `the image lists ${blob.digest} with ${known.size} and with ${blob.size} bytes`,
    { hint: 'the image is broken: build and push it again' },
  );
}
