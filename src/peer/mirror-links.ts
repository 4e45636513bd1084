import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { isLayerpullError } from '../core/errors.ts';
import { parseManifest } from '../registry/manifest.ts';
import type { MirrorStore } from './mirror-port.ts';
import { Recent } from './recent.ts';

/** What a document lists. */
export interface Listing {
  readonly mediaType: string;
  /** Of an index. */
  readonly documents: ReadonlyMap<Digest, Descriptor>;
  /** Config and layers of a manifest. */
  readonly blobs: ReadonlyMap<Digest, Descriptor>;
}

/** Descriptors in memory, all documents together. */
const mostDescriptors = 50_000;

/** Reads what documents of the store list. They never change, so what was read is good for ever. */
export class Listings {
  readonly #store: MirrorStore;
  readonly #known = new Recent<Digest, Listing>(
    mostDescriptors,
    ({ documents, blobs }) => 1 + documents.size + blobs.size,
  );

  constructor(store: MirrorStore) {
    this.#store = store;
  }

  /** Undefined where the document is not in the store or lists nothing that can be read. */
  async of(digest: Digest): Promise<Listing | undefined> {
    const known = this.#known.get(digest);
    if (known) return known;
    const bytes = await this.#store.document(digest);
    const listing = bytes && parseListing(bytes, digest);
    if (listing) this.#known.set(digest, listing);
    return listing;
  }
}

function parseListing(bytes: Uint8Array, digest: Digest): Listing | undefined {
  try {
    const content = parseManifest(bytes, undefined, digest);
    const { mediaType } = content;
    if (content.kind === 'index') {
      return { mediaType, documents: byDigest(content.entries), blobs: new Map() };
    }
    return { mediaType, documents: new Map(), blobs: byDigest([content.config, ...content.layers]) };
  } catch (error) {
    if (isLayerpullError(error)) return undefined;
    throw error;
  }
}

function byDigest(listed: readonly Descriptor[]): Map<Digest, Descriptor> {
  return new Map(listed.map((one) => [one.digest, one]));
}
