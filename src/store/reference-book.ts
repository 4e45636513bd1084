import type { Clock } from '../core/clock.ts';
import { formatPlatform, normalisePlatform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { toNodeId } from '../core/ids.ts';
import { isOurs, liveClaims, writeClaim } from './claims.ts';
import type { DocumentLink } from './document-links.ts';
import { Documents } from './documents.ts';
import { storing } from './files.ts';
import { imageFile, readRecord, readRecords } from './image-records.ts';
import type { ImageRecord } from './image-store.ts';
import { foreignEntries, type StoredImage } from './index-json.ts';
import type { Layout } from './layout.ts';
import type { ImageBlobs, Reference, ReferenceBook, References, Unreadable } from './references.ts';
import { shelvedBlobs } from './shelf-files.ts';

export interface ReferencesOptions {
  readonly layout: Layout;
  readonly clock: Clock;
}

/** The references of an OCI layout. */
export function createReferences({ layout, clock }: ReferencesOptions): References {
  const documents = new Documents(layout);
  return {
    claim: (request) => storing('write a reference', () => writeClaim(layout, request)),
    read: () => storing('read the references', () => readUntilSettled(layout, documents, clock)),
    blobsOf: (image) => storing(`read the image ${image.name}`, () => blobsOf(image, documents)),
    isOursAlone: (digest) =>
      storing('read the references', async () => {
        const claims = await liveClaims(layout, clock.wallNow());
        const [claim, ...others] = claims.filter(({ digests }) => digests.includes(digest));
        return claim !== undefined && isOurs(claim) && others.length === 0;
      }),
  };
}

/** Images that are removed or replaced while they are read. */
const maxRounds = 20;

/** An image that was removed since it was listed has no manifest, and that is no damage: what there is now counts. */
async function readUntilSettled(layout: Layout, documents: Documents, clock: Clock): Promise<ReferenceBook> {
  for (let round = 1; ; round += 1) {
    const book = await readBook(layout, documents, clock.wallNow());
    if (round >= maxRounds || !(await hasChanged(layout, book))) return book;
  }
}

async function hasChanged(layout: Layout, { unreadable }: ReferenceBook): Promise<boolean> {
  for (const { image } of unreadable) {
    if (image && !(await isStillRecorded(layout, image))) return true;
  }
  return false;
}

async function isStillRecorded(layout: Layout, image: ImageRecord): Promise<boolean> {
  const current = await readRecord(imageFile(layout, image));
  return current !== undefined && 'manifest' in current && current.manifest.digest === image.manifest.digest;
}

/**
 * Claims are read before images and catalogs: a pull that ends in between has its image recorded, or its blobs in the
 * catalog of a containerd, by then. The other way round, it would be in neither.
 */
async function readBook(layout: Layout, documents: Documents, wallNowMs: number): Promise<ReferenceBook> {
  const writing = new BookWriter(documents);
  for (const { name, node, digests } of await liveClaims(layout, wallNowMs)) {
    writing.add(digests, { kind: 'pull', name, ...(node === undefined ? {} : { node: toNodeId(node) }) });
  }
  for (const { name, digests } of await shelvedBlobs(layout)) {
    writing.add(digests, { kind: 'containerd', name });
  }
  const { images, damaged } = await readRecords(layout);
  for (const image of images) await writing.addImage(image);
  for (const { file } of damaged) {
    writing.unreadable.push({
      message: `the image record ${file} is damaged`,
      hint: 'remove that file, then pull its image again',
    });
  }
  await addForeign(layout, writing);
  return writing;
}

async function addForeign(layout: Layout, writing: BookWriter): Promise<void> {
  const entries = await foreignEntries(layout);
  if (!entries) {
    const message = 'index.json is damaged, and may name what other tools keep here';
    writing.unreadable.push({ message, hint: 'pull any image into the store: that derives it anew' });
    return;
  }
  for (const { name, digest } of entries) await writing.addForeign(digest, { kind: 'index', name });
}

/** Indexes inside of indexes, as other tools may nest them. */
const maxDepth = 8;

class BookWriter implements ReferenceBook {
  readonly unreadable: Unreadable[] = [];
  readonly #documents: Documents;
  readonly #references = new Map<string, Reference[]>();

  constructor(documents: Documents) {
    this.#documents = documents;
  }

  of(digest: Digest): readonly Reference[] {
    return this.#references.get(digest) ?? [];
  }

  add(digests: readonly string[], reference: Reference): void {
    for (const digest of new Set(digests)) {
      const known = this.#references.get(digest);
      if (known) known.push(reference);
      else this.#references.set(digest, [reference]);
    }
  }

  async addImage(image: StoredImage): Promise<void> {
    const { name, platform } = image;
    const { all, config } = await blobsOf(image, this.#documents);
    this.add(all, { kind: 'image', name, platform: formatPlatform(platform) });
    if (config) return;
    this.unreadable.push({
      image,
      message: `the manifest ${image.manifest.digest} of ${name} cannot be read`,
      hint: `pull ${name} again, or remove it`,
    });
  }

  /** What such an entry leads to. */
  async addForeign(digest: Digest, reference: Reference): Promise<void> {
    this.add(await reachable(digest, this.#documents, () => true), reference);
  }
}

/**
 * What an index or manifest leads to, as far as it is there: other tools keep indexes of which they have a part only.
 * Documents that `isMeant` refuses are left out, with all behind them.
 */
async function reachable(
  digest: Digest,
  documents: Documents,
  isMeant: (link: DocumentLink) => boolean,
): Promise<Digest[]> {
  const reached = new Set<Digest>([digest]);
  let level: readonly Digest[] = [digest];
  for (let depth = 0; depth < maxDepth && level.length > 0; depth += 1) {
    const links = await Promise.all(level.map((one) => documents.links(one)));
    const further = links.flatMap((one) => one?.documents.filter(isMeant).map((link) => link.digest) ?? []);
    level = [...new Set(further)].filter((one) => !reached.has(one));
    for (const one of [...links.flatMap((found) => found?.blobs ?? []), ...level]) reached.add(one);
  }
  return [...reached];
}

/**
 * Of an index, the images of other platforms count by their own records only; what else it lists belongs to it. Of
 * several for one platform, as Windows has them for its versions, one has the record, and it stands for all of them.
 */
export async function blobsOf(
  { platform, manifest, index, ociForm }: ImageRecord & Pick<StoredImage, 'ociForm'>,
  documents: Documents,
): Promise<ImageBlobs> {
  const links = await documents.links(manifest.digest);
  const own = formatPlatform(normalisePlatform(platform));
  const isMeant = (link: DocumentLink) => link.platform === undefined || link.platform === own;
  const ofIndex = index ? await reachable(index.digest, documents, isMeant) : [];
  const ofImage = [manifest.digest, ...(links?.blobs ?? []), ...(ociForm ? [ociForm.digest] : [])];
  return { all: [...new Set([...ofImage, ...ofIndex])], ...(links?.config ? { config: links.config } : {}) };
}
