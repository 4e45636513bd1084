import { type Descriptor, mediaTypes } from '../../core/descriptor.ts';
import { type Digest, digestOf } from '../../core/digest.ts';
import { LayerpullError } from '../../core/errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { needsOciForm, ociFormOf } from '../oci-form.ts';
import {
  brokenImage,
  indexSchema,
  isIndex,
  isManifest,
  manifestSchema,
  parseDocument,
  readDocument,
} from './documents.ts';
import type { OutputImage } from './image-output.ts';
import { isNondistributable } from './layer-types.ts';

/** Everything that a layout holds of one image. */
export interface OciContents {
  /** The manifest or index that `index.json` points to. */
  readonly top: Descriptor;
  readonly documents: ReadonlyMap<Digest, Uint8Array>;
  /** Configs and layers, each once. */
  readonly blobs: ReadonlyMap<Digest, Descriptor>;
}

const maxDepth = 4;

/**
 * Gathers an image in OCI's form. What came with Docker's media types gets OCI's, which changes the digests of its
 * manifest and index; everything else keeps its bytes. Layers that may not be distributed are left out where the store
 * has none of them, as skopeo does.
 *
 * @throws LayerpullError `blob_not_found`, `invalid_manifest`
 */
export async function gatherOci({ manifest, index }: OutputImage, store: BlobStore): Promise<OciContents> {
  const gathering = new Gathering(store);
  const top = index ? await gathering.addIndex(index, 1) : await gathering.addManifest(manifest);
  return { top, documents: gathering.documents, blobs: gathering.blobs };
}

class Gathering implements Pick<OciContents, 'documents' | 'blobs'> {
  readonly documents = new Map<Digest, Uint8Array>();
  readonly blobs = new Map<Digest, Descriptor>();
  readonly #store: BlobStore;

  constructor(store: BlobStore) {
    this.#store = store;
  }

  async addManifest(manifest: Descriptor): Promise<Descriptor> {
    const bytes = await readDocument(this.#store, manifest);
    const { config, layers } = parseDocument(manifestSchema, bytes, manifest);
    for (const blob of [config, ...layers]) await this.#addBlob(blob);
    return this.#keep(needsOciForm(manifest) ? ociFormOf(bytes) : { descriptor: manifest, bytes });
  }

  async addIndex(index: Descriptor, depth: number): Promise<Descriptor> {
    if (depth > maxDepth) throw brokenImage(`${index.digest} is an index inside of ${maxDepth} others`);
    const bytes = await readDocument(this.#store, index);
    const { manifests, ...rest } = parseDocument(indexSchema, bytes, index);
    const renewed: Descriptor[] = [];
    for (const entry of manifests) renewed.push({ ...entry, ...(await this.#addEntry(entry, depth)) });
    const isSame = renewed.every(({ digest }, at) => digest === manifests[at]?.digest);
    if (isSame && index.mediaType === mediaTypes.ociIndex) return this.#keep({ descriptor: index, bytes });
    const mediaType = mediaTypes.ociIndex;
    const document = Buffer.from(JSON.stringify({ ...rest, mediaType, manifests: renewed }));
    const descriptor = { mediaType, digest: digestOf(document), size: document.length };
    return this.#keep({ descriptor, bytes: document });
  }

  /** What stands beside the images, such as how they were built, is written where it was pulled. */
  async #addEntry(entry: IndexEntry, depth: number): Promise<Descriptor> {
    const { mediaType, digest, size } = entry;
    const same = { mediaType, digest, size };
    const isOther = !isIndex(entry) && !isManifest(entry);
    if ((isOther || isAside(entry)) && !(await this.#store.has(same))) return same;
    if (isOther) return this.#keepBlob(same);
    return isIndex(entry) ? await this.addIndex(entry, depth + 1) : await this.addManifest(entry);
  }

  async #addBlob({ mediaType, digest, size }: Descriptor): Promise<void> {
    const blob = { mediaType, digest, size };
    if (await this.#store.has(blob)) this.#keepBlob(blob);
    else if (!isNondistributable(blob)) throw absent(digest);
  }

  #keepBlob(blob: Descriptor): Descriptor {
    this.blobs.set(blob.digest, blob);
    return blob;
  }

  #keep({ descriptor, bytes }: { descriptor: Descriptor; bytes: Uint8Array }): Descriptor {
    const { mediaType, digest, size } = descriptor;
    this.documents.set(digest, bytes);
    return { mediaType, digest, size };
  }
}

type IndexEntry = Descriptor & { readonly platform?: { readonly os: string } | null | undefined };

/** Build tools write what they add under the platform `unknown/unknown`. */
function isAside({ platform }: IndexEntry): boolean {
  return platform?.os === 'unknown';
}

function absent(digest: Digest): LayerpullError {
  return new LayerpullError('blob_not_found', `${digest} is not in the store`, {
    origin: 'store',
    hint: 'pull the image again',
  });
}
