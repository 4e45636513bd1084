import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestAlgorithm, digestOf } from '../core/digest.ts';

/** A descriptor as it stands in a manifest, perhaps with the content itself. */
export interface ListedDescriptor extends Descriptor {
  /** Base64 (RFC 4648, section 4). */
  readonly data?: string | null | undefined;
}

export type Embedded = ReadonlyMap<Digest, Uint8Array>;

/**
 * The contents that stand in their descriptors (OCI image-spec `descriptor.md`, "Embedded Content"). They have to be the
 * very bytes of the digest: whoever embeds others makes two images of one manifest, so it is refused as a whole.
 *
 * @param refuse makes the error for a content that is not what its descriptor says
 */
export function readEmbedded(
  listed: readonly ListedDescriptor[],
  refuse: (problem: string) => Error,
): Embedded {
  const embedded = new Map<Digest, Uint8Array>();
  for (const { digest, size, data } of listed) {
    if (!data) continue;
    const bytes = decode(data);
    const isRight = bytes?.length === size && digestOf(bytes, digestAlgorithm(digest)) === digest;
    if (!bytes || !isRight) throw refuse(`the data embedded for ${digest} is something else`);
    embedded.set(digest, bytes);
  }
  return embedded;
}

/** Buffer passes over what is not base64; here that is a fault. */
function decode(data: string): Buffer | undefined {
  const bytes = Buffer.from(data, 'base64');
  return bytes.toString('base64') === data ? bytes : undefined;
}
