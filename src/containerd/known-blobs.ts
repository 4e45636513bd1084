import * as v from 'valibot';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { Shelf, ShelfEntry } from '../store/shelf.ts';
import { blobIn } from './refs.ts';

/** Above what registries take for a manifest. Of layers as small as that the first byte is read. */
const maxDocumentBytes = 4_194_304;
/** Layers of some hundred images. */
const maxKnown = 10_000;
const openBrace = 0x7b;

const descriptorSchema = v.looseObject({
  mediaType: v.string(),
  digest: v.custom<Digest>((value) => isDigest(String(value))),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
const nothing = v.fallback(v.nullish(descriptorSchema, null), null);
/** OCI image-spec `manifest.md`, and Docker's Image Manifest V2, Schema 2. */
const manifestSchema = v.looseObject({
  config: nothing,
  layers: v.fallback(v.nullish(v.array(nothing), []), []),
});

export interface KnownBlobsOptions {
  readonly shelf: Shelf;
  /** What was committed. */
  readonly entries: () => Iterable<ShelfEntry>;
  readonly log?: Log;
}

/**
 * Sizes of the blobs of images, from the manifests that containerd committed before it asks for those blobs: it opens a
 * writer with a ref that names the digest, and may keep the size for the commit.
 */
export class KnownBlobs {
  readonly #options: KnownBlobsOptions;
  readonly #known = new Map<Digest, Descriptor>();
  /** What was looked into already. Digests alone: a hundred bytes for each blob of the catalog. */
  readonly #read = new Set<Digest>();

  constructor(options: KnownBlobsOptions) {
    this.#options = options;
  }

  /**
   * The blob that a ref names, if it is one that other nodes may want too: a layer or a config.
   *
   * @param total bytes that the client stated; 0 for none
   */
  async find(ref: string, total: number): Promise<Descriptor | undefined> {
    const named = blobIn(ref);
    if (!named || (named.kind !== 'layer' && named.kind !== 'config')) return undefined;
    const { digest } = named;
    const known = this.#known.get(digest);
    if (known) return total === 0 || total === known.size ? known : undefined;
    if (total > 0) return { mediaType: 'application/octet-stream', digest, size: total };
    await this.#learnOthers();
    return this.#known.get(digest);
  }

  /** Reads what a blob says of others, if it is a manifest. Never throws. */
  async learn(digest: Digest, size: number): Promise<void> {
    this.#read.add(digest);
    if (size > maxDocumentBytes) return;
    try {
      const text = await this.#text(digest);
      const { config, layers } = v.parse(manifestSchema, JSON.parse(text));
      for (const one of [config, ...layers]) if (one) this.#remember(one);
    } catch {
      // It is no manifest: nothing is to be learned.
    }
  }

  /** Manifests that an earlier process saw, and those that were found in the store. */
  async #learnOthers(): Promise<void> {
    const { entries, log = silentLog } = this.#options;
    const others = [...entries()].filter(({ digest }) => !this.#read.has(digest));
    for (const { digest, size } of others) await this.learn(digest, size);
    log.debug({ entries: others.length, blobs: this.#known.size }, 'manifests read');
  }

  async #text(digest: Digest): Promise<string> {
    const blob = await this.#options.shelf.open(digest);
    try {
      const [first] = await blob.read(0, 1);
      if (first !== openBrace || blob.size > maxDocumentBytes) return '';
      return (await blob.read(0, blob.size)).toString('utf8');
    } finally {
      await blob.close();
    }
  }

  /** The oldest is forgotten. */
  #remember({ mediaType, digest, size }: Descriptor): void {
    this.#known.delete(digest);
    this.#known.set(digest, { mediaType, digest, size });
    if (this.#known.size <= maxKnown) return;
    const [oldest] = this.#known.keys();
    if (oldest) this.#known.delete(oldest);
  }
}
