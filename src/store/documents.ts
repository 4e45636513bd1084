import { open } from 'node:fs/promises';
import path from 'node:path';
import { type Digest, digestHex } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import { namesIn } from './claims.ts';
import { type Links, parseLinks } from './document-links.ts';
import { readFlags } from './files.ts';
import { blobPath, type Layout, trashPath } from './layout.ts';

type Root = Pick<Layout, 'root'>;

/** Far above what a manifest may have; nothing larger is read into memory. */
const maxDocumentBytes = 16_777_216;

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
    const text = await findDocument(this.#layout, digest);
    const links = text === undefined ? undefined : parseLinks(text);
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
