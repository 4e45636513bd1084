import type { Fetched } from './documents.ts';
import type { Document, ManifestParts, PlatformImage, ResolvedImage } from './image-registry.ts';
import type { ImageManifest } from './manifest.ts';

/** What was found behind a reference, before it is put together. */
export interface Found {
  readonly platforms: readonly PlatformImage[];
  /** Further manifests that are to be brought. */
  readonly attached: readonly ManifestParts[];
  /** Every document on the way to them, from the top on; one may be here more than once. */
  readonly read: readonly Fetched[];
  readonly leftOut: ResolvedImage['leftOut'];
}

export function partsOf(manifest: Document, { config, layers }: ImageManifest): ManifestParts {
  return { manifest, config, layers };
}
