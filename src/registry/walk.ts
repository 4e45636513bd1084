import type { Descriptor } from '../core/descriptor.ts';
import type { LayerpullError } from '../core/errors.ts';
import type { Scope } from './auth.ts';
import {
  type Fetched,
  fetchDocument,
  maxManifestBytes,
  type Reader,
  toFetched,
  type Wanted,
} from './documents.ts';
import { headManifest } from './heads.ts';
import type { StoredDocuments } from './image-registry.ts';
import { type ImageIndex, invalid, kindOfType } from './manifest.ts';

/** One way through the documents of one reference. */
export interface Walk {
  readonly reader: Reader;
  readonly scope: Scope;
  /** For messages. */
  readonly name: string;
  readonly stored: StoredDocuments | undefined;
  readonly signal: AbortSignal;
  /** Documents that may still be followed, of the `maxDocuments` at the start. */
  budget: number;
  readonly maxDocuments: number;
}

export const maxIndexDepth = 4;

/** What the reference itself stands for. */
export async function fetchTop(walk: Walk, wanted: Wanted): Promise<Fetched> {
  const { reader, stored, signal } = walk;
  return (
    (stored && (await findStored(walk, wanted, stored))) ?? (await fetchDocument(reader, wanted, signal))
  );
}

/** The document that the registry names now, if it is at hand. */
async function findStored(
  { reader, signal }: Walk,
  wanted: Wanted,
  stored: StoredDocuments,
): Promise<Fetched | undefined> {
  // What a digest names is known without asking; whoever lacks it needs no HEAD to go and get it.
  const known = wanted.digest && (await stored.read(wanted.digest));
  if (wanted.digest && !known) return undefined;
  const headed = await headManifest(reader, wanted, signal);
  if (!headed) return undefined;
  const bytes = known ?? (await stored.read(headed.digest));
  return bytes && toFetched(bytes, headed.contentType, { ...wanted, digest: headed.digest });
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
  const bytes = index.embedded.get(digest) ?? (await stored?.read(digest));
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
