import * as v from 'valibot';
import { type Descriptor, mediaTypes } from '../../core/descriptor.ts';
import { type Digest, isDigest } from '../../core/digest.ts';
import { LayerpullError } from '../../core/errors.ts';
import type { BlobStore } from '../blob-store.ts';

/** Manifests and configs are read whole; more than this is none. The limit of registries and of other tools. */
const maxDocumentBytes = 4 * 1_048_576;

const digestSchema = v.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  'not a digest',
);

const descriptorSchema = v.looseObject({
  mediaType: v.string(),
  digest: digestSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

/** OCI image-spec `manifest.md`; Docker's Image Manifest V2, Schema 2 has the same fields. */
export const manifestSchema = v.looseObject({
  config: descriptorSchema,
  layers: v.nullable(v.array(descriptorSchema), []),
});

const platformSchema = v.looseObject({ os: v.string(), architecture: v.string() });

/** OCI image-spec `image-index.md`, and Docker's manifest list. */
export const indexSchema = v.looseObject({
  manifests: v.array(v.looseObject({ ...descriptorSchema.entries, platform: v.nullish(platformSchema) })),
});

/** OCI image-spec `config.md`, as far as an archive needs it. */
export const configSchema = v.looseObject({
  rootfs: v.looseObject({ diff_ids: v.nullable(v.array(digestSchema), []) }),
});

export type Config = v.InferOutput<typeof configSchema>;

export function isIndex({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerManifestList;
}

export function isManifest({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
}

/** The bytes of a manifest, an index or a config. @throws LayerpullError `blob_not_found`, `invalid_manifest` */
export async function readDocument(blobs: BlobStore, { digest, size }: Descriptor): Promise<Buffer> {
  const tooBig = () => brokenImage(`${digest} is too big for a document: ${size} bytes`);
  if (size > maxDocumentBytes) throw tooBig();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of await blobs.open(digest)) {
    bytes += piece.length;
    if (bytes > maxDocumentBytes) throw tooBig();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** @throws LayerpullError `invalid_manifest` */
export function parseDocument<Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Buffer,
  { digest }: Descriptor,
): v.InferOutput<Schema> {
  try {
    return v.parse(schema, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw brokenImage(`${digest} is not a document of an image`, cause);
  }
}

export function brokenImage(message: string, cause?: unknown): LayerpullError {
  return new LayerpullError('invalid_manifest', message, {
    hint: 'the image is broken: build and push it again',
    ...(cause === undefined ? {} : { cause }),
  });
}
