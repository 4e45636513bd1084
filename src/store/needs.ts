import * as v from 'valibot';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestAlgorithm, finishDigest, isDigest, startDigest } from '../core/digest.ts';
import type { NeededBlob } from './check.ts';
import { type Documents, findDocument } from './documents.ts';
import type { StoredImage } from './index-json.ts';
import type { Layout } from './layout.ts';
import { isNondistributable } from './outputs/layer-types.ts';
import { blobsOf } from './reference-book.ts';

type Root = Pick<Layout, 'root'>;

const descriptorSchema = v.looseObject({
  mediaType: v.string(),
  digest: v.custom<Digest>((value) => isDigest(String(value))),
  size: v.number(),
});
/** OCI image-spec `manifest.md`, and Docker's Image Manifest V2, Schema 2. */
const manifestSchema = v.looseObject({
  config: descriptorSchema,
  layers: v.nullable(v.array(descriptorSchema), []),
});

export interface ImageNeeds {
  readonly needs: readonly NeededBlob[];
  /** False: its manifest is not there, wrong or none, so that nobody knows its layers. */
  readonly isReadable: boolean;
}

/**
 * All that an image consists of: index, manifest, OCI's form of it, config and layers are required. A manifest with
 * wrong bytes is not believed: what it names nobody needs.
 */
export async function needsOf(layout: Root, documents: Documents, image: StoredImage): Promise<ImageNeeds> {
  const { manifest, index, ociForm } = image;
  const text = await textOf(layout, manifest.digest);
  const content = text === undefined ? undefined : contentOf(text);
  const required = [manifest, index, ociForm].filter((one) => one !== undefined).map(toNeeded);
  const own = [...required, ...(content ?? []).map(toNeeded)];
  const attached = await attachedTo(image, documents, new Set(own.map(({ digest }) => digest)));
  return { needs: [...own, ...attached], isReadable: content !== undefined };
}

/** Text of a document that has the bytes it should have. Whoever reads the blobs says what is wrong with the others. */
async function textOf(layout: Root, digest: Digest): Promise<string | undefined> {
  const text = await findDocument(layout, digest).catch(() => undefined);
  if (text === undefined) return undefined;
  const algorithm = digestAlgorithm(digest);
  const hash = startDigest(algorithm);
  hash.update(Buffer.from(text));
  return finishDigest(hash, algorithm) === digest ? text : undefined;
}

function contentOf(text: string): readonly Descriptor[] | undefined {
  try {
    const { config, layers } = v.parse(manifestSchema, JSON.parse(text));
    return [config, ...layers];
  } catch {
    return undefined;
  }
}

function toNeeded(descriptor: Descriptor): NeededBlob {
  const { digest, size } = descriptor;
  return { digest, size, role: isNondistributable(descriptor) ? 'foreign' : 'required' };
}

/**
 * What else the index leads to, such as attestations. Pulls of one platform do not bring these, so none must be there;
 * of one that is there, what it consists of should be.
 */
async function attachedTo(
  image: StoredImage,
  documents: Documents,
  own: ReadonlySet<Digest>,
): Promise<NeededBlob[]> {
  if (!image.index) return [];
  const { all } = await blobsOf(image, documents).catch(() => ({ all: [] }));
  const attached = all.filter((digest) => !own.has(digest));
  const listed = new Set<Digest>();
  for (const digest of [image.index.digest, ...attached]) {
    const links = await documents.links(digest).catch(() => undefined);
    for (const link of links?.documents ?? []) listed.add(link.digest);
  }
  return attached.map((digest) => ({ digest, role: listed.has(digest) ? 'listed' : 'attached' }));
}
