import { open } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { type Digest, digestHex, isDigest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import { namesIn } from './claims.ts';
import { readFlags } from './files.ts';
import { blobPath, type Layout, trashPath } from './layout.ts';

type Root = Pick<Layout, 'root'>;

export interface DocumentLink {
  readonly digest: Digest;
  /** Whether it is the image of a platform, and no attestation, nested index or subject. */
  readonly isPlatform: boolean;
}

/** What a manifest or an index points to. */
export interface Links {
  readonly config?: Digest;
  /** Documents that may point further. */
  readonly documents: readonly DocumentLink[];
  /** Config, layers and whatever else has bytes of its own. */
  readonly blobs: readonly Digest[];
}

/** Far above what a manifest may have; nothing larger is read into memory. */
const maxDocumentBytes = 16_777_216;

const linkSchema = v.looseObject({ digest: v.custom<Digest>((value) => isDigest(String(value))) });
const manifestSchema = v.looseObject({
  ...linkSchema.entries,
  platform: v.optional(v.looseObject({ os: v.optional(v.string()) })),
});
const legacySchema = v.looseObject({ blobSum: v.custom<Digest>((value) => isDigest(String(value))) });

/** OCI image-spec `manifest.md` and `image-index.md`, Docker's schemas 1 and 2, and OCI artifact manifests. */
const documentSchema = v.looseObject({
  config: v.optional(linkSchema),
  layers: v.optional(v.array(linkSchema)),
  blobs: v.optional(v.array(linkSchema)),
  manifests: v.optional(v.array(manifestSchema)),
  subject: v.optional(linkSchema),
  fsLayers: v.optional(v.array(legacySchema)),
});

/** Reads the documents of a store. They never change, so each is read once. */
export class Documents {
  readonly #layout: Root;
  readonly #known = new Map<Digest, Links>();

  constructor(layout: Root) {
    this.#layout = layout;
  }

  /** Undefined when the document is missing or cannot be read. */
  async links(digest: Digest): Promise<Links | undefined> {
    const known = this.#known.get(digest);
    if (known) return known;
    const links = parseLinks(await findDocument(this.#layout, digest));
    if (links) this.#known.set(digest, links);
    return links;
  }
}

/**
 * Text of a document; undefined when there is none. A deleter may have moved it away for a moment, to put it back as
 * soon as it sees who needs it: it is looked for in the trash, and once more in its place.
 */
export async function findDocument(layout: Root, digest: Digest): Promise<string | undefined> {
  const place = blobPath(layout, digest);
  return (await readText(place)) ?? (await readFromTrash(layout, digest)) ?? (await readText(place));
}

async function readFromTrash(layout: Root, digest: Digest): Promise<string | undefined> {
  const folder = trashPath(layout);
  const name = (await namesIn(folder)).find((one) => one.endsWith(`-${digestHex(digest)}`));
  return name === undefined ? undefined : await readText(path.join(folder, name));
}

async function readText(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, readFlags);
    try {
      const stats = await handle.stat();
      if (!stats.isFile() || stats.size > maxDocumentBytes) return undefined;
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

function parseLinks(text: string | undefined): Links | undefined {
  if (text === undefined) return undefined;
  try {
    const { config, layers, blobs, manifests, subject, fsLayers } = v.parse(documentSchema, JSON.parse(text));
    const digests = [config, ...(layers ?? []), ...(blobs ?? [])].flatMap((one) => (one ? [one.digest] : []));
    const legacy = (fsLayers ?? []).map((one) => one.blobSum);
    const documents = (manifests ?? []).map(({ digest, platform }) => ({
      digest,
      isPlatform: platform?.os !== undefined && platform.os !== 'unknown',
    }));
    if (subject) documents.push({ digest: subject.digest, isPlatform: false });
    return { ...(config ? { config: config.digest } : {}), documents, blobs: [...digests, ...legacy] };
  } catch {
    return undefined;
  }
}
