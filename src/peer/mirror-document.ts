import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import { maxManifestBytes } from '../registry/documents.ts';
import { parseManifest } from '../registry/manifest.ts';
import type { RegistryReader } from '../registry/readers.ts';
import { type ImageReference, nameOf } from '../registry/reference.ts';
import type { BlobSource } from '../source/blob-source.ts';
import type { Allowed, MirrorDocument, MirrorStore } from './mirror-port.ts';

/**
 * A document that somebody may have: from the store, else brought there, as every blob is whose size is known.
 *
 * @throws LayerpullError
 */
export async function documentOf(
  store: MirrorStore,
  reader: RegistryReader,
  reference: ImageReference,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<MirrorDocument> {
  const { digest, size, mediaType } = allowed;
  const here = await store.document(digest);
  if (here) return describe(reference, allowed, here);
  if (size === undefined || size > maxManifestBytes) {
    const { document } = await reader.document(reference, digest, signal);
    await store.keep(document.descriptor, document.bytes);
    return document;
  }
  const descriptor = { digest, size, mediaType: mediaType ?? 'application/octet-stream' };
  await store.bring(nameOf(reference), descriptor, documentSource(reader, reference), signal);
  const brought = await store.document(digest);
  if (brought) return describe(reference, allowed, brought);
  throw new LayerpullError('store_failed', `${digest} vanished from the store`);
}

/** What others may be told of a document: only of one that is here, since they need to know its size. */
export async function describedHere(
  store: MirrorStore,
  reference: ImageReference,
  allowed: Allowed,
): Promise<Allowed | undefined> {
  const here = await store.document(allowed.digest);
  return here && describe(reference, allowed, here).descriptor;
}

/** A manifest as something that is brought like a layer: it is asked for in another place. */
function documentSource(reader: RegistryReader, reference: ImageReference): BlobSource {
  return {
    url: reader.blobs(reference).url,
    async *open({ digest }: Descriptor, { offset = 0, signal }) {
      const { document } = await reader.document(reference, digest, signal);
      yield document.bytes.subarray(offset);
    },
  };
}

/** The content says of what type it is; where it does not, what was said about it does. */
function describe(
  reference: ImageReference,
  { digest, mediaType }: Allowed,
  bytes: Uint8Array,
): MirrorDocument {
  const content = parseManifest(bytes, mediaType, `${nameOf(reference)}@${digest}`);
  return { descriptor: { digest, size: bytes.length, mediaType: content.mediaType }, bytes };
}
