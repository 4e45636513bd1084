import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { isLayerpullError, type LayerpullError } from '../core/errors.ts';
import type { Scope } from './auth.ts';
import {
  documentSource,
  type Fetched,
  fetchDocument,
  maxManifestBytes,
  type Reader,
  toFetched,
  type Wanted,
} from './documents.ts';
import { type Headed, headManifest } from './heads.ts';
import type { SharedDocuments, StoredDocuments } from './image-registry.ts';
import { type ImageIndex, invalid, kindOfType } from './manifest.ts';

/** One way through the documents of one reference. */
export interface Walk {
  readonly reader: Reader;
  readonly scope: Scope;
  /** For messages. */
  readonly name: string;
  readonly stored: StoredDocuments | undefined;
  readonly shared: SharedDocuments | undefined;
  readonly signal: AbortSignal;
  /** Documents that may still be followed, of the `maxDocuments` at the start. */
  budget: number;
  readonly maxDocuments: number;
}

export const maxIndexDepth = 4;

/** What the reference itself stands for. */
export async function fetchTop(walk: Walk, wanted: Wanted): Promise<Fetched> {
  const { reader, signal } = walk;
  return (await findNamed(walk, wanted)) ?? (await fetchDocument(reader, wanted, signal));
}

/** The document that the registry names now, if it is at hand or others share it. */
async function findNamed(walk: Walk, wanted: Wanted): Promise<Fetched | undefined> {
  const { reader, stored, shared, signal } = walk;
  if (!stored && !shared) return undefined;
  const known = wanted.digest && (await stored?.read(wanted.digest));
  // What a digest names is known without asking; whoever has to read it at the registry needs no HEAD before.
  if (wanted.digest && !known && !shared) return undefined;
  const headed = await headManifest(reader, wanted, signal);
  if (!headed) return undefined;
  const named = { ...wanted, digest: headed.digest, tagOrDigest: headed.digest };
  const bytes = known ?? (await stored?.read(headed.digest)) ?? (await bringNamed(walk, named, headed));
  return bytes && toFetched(bytes, headed.contentType, named);
}

/** A registry that does not say how long a document is has to be asked for it. */
async function bringNamed(walk: Walk, wanted: Named, headed: Headed): Promise<Uint8Array | undefined> {
  const { size, contentType } = headed;
  if (size === undefined || size === 0 || size > maxManifestBytes) return undefined;
  return await bringShared(walk, { ...wanted, size }, contentType ?? 'application/octet-stream');
}

type Named = Wanted & { readonly digest: Digest };

/** What the registry says in a header can be wrong; then its content decides. */
const speakOfContent: ReadonlySet<string> = new Set([
  'image_not_found',
  'blob_not_found',
  'digest_mismatch',
  'size_mismatch',
  'content_refused',
]);

async function bringShared(
  { reader, shared, signal }: Walk,
  wanted: Named & { readonly size: number },
  mediaType: string,
): Promise<Uint8Array | undefined> {
  const { digest, size } = wanted;
  try {
    return await shared?.bring({ mediaType, digest, size }, documentSource(reader, wanted), signal);
  } catch (error) {
    if (!isLayerpullError(error) || !speakOfContent.has(error.code)) throw error;
    return undefined;
  }
}

/** A document that an index lists: from the index itself, from the store, or from the registry. */
export async function follow(walk: Walk, index: ImageIndex, entry: Descriptor): Promise<Fetched> {
  const { name, maxDocuments } = walk;
  walk.budget -= 1;
  if (walk.budget < 0) throw invalid(name, `its indexes lead to more than ${maxDocuments} documents`);
  if (entry.size > maxManifestBytes) throw invalid(name, `it lists a manifest of ${entry.size} bytes`);
  const fetched = await obtain(walk, index, entry);
  refuseConfusion(name, entry, fetched);
  return fetched;
}

async function obtain(walk: Walk, index: ImageIndex, entry: Descriptor): Promise<Fetched> {
  const { reader, scope, name, stored, signal } = walk;
  const { digest, size, mediaType } = entry;
  const wanted = { scope, name, tagOrDigest: digest, digest, size };
  const bytes =
    index.embedded.get(digest) ??
    (await stored?.read(digest)) ??
    (await bringShared(walk, wanted, mediaType));
  return bytes ? toFetched(bytes, mediaType, wanted) : await fetchDocument(reader, wanted, signal);
}

/** Who reads a manifest as an index, or the other way round, sees another image than everybody else. */
function refuseConfusion(name: string, entry: Descriptor, { content, document }: Fetched): void {
  const announced = kindOfType(entry.mediaType);
  const found = content.kind === 'index' ? 'index' : 'manifest';
  if (announced === undefined || announced === found) return;
  const { digest } = document.descriptor;
  throw invalid(name, `it lists ${digest} as of type ${entry.mediaType}, and it is of ${content.mediaType}`);
}

export function tooDeep(name: string): LayerpullError {
  return invalid(name, `its indexes lie more than ${maxIndexDepth} deep`);
}
