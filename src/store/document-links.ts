import * as v from 'valibot';
import { formatPlatform, mediaTypes, normalisePlatform } from '../core/descriptor.ts';
import { type Digest, isDigest } from '../core/digest.ts';

export interface DocumentLink {
  readonly digest: Digest;
  /** The platform of which it is an image; absent for an attestation, an artifact, a nested index or a subject. */
  readonly platform?: string;
}

/** What a manifest or an index points to. */
export interface Links {
  /** Present where it and all layers can be read: then it is known what an image consists of. */
  readonly config?: Digest;
  /** Documents that may point further. */
  readonly documents: readonly DocumentLink[];
  /** Config, layers and whatever else has bytes of its own. */
  readonly blobs: readonly Digest[];
}

const digestSchema = v.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const linkSchema = v.looseObject({ digest: digestSchema });
const platformSchema = v.looseObject({
  os: v.string(),
  architecture: v.string(),
  variant: v.nullish(v.string()),
});
const entrySchema = v.looseObject({
  digest: digestSchema,
  mediaType: orNull(v.string()),
  artifactType: orNull(v.string()),
  platform: orNull(platformSchema),
});

/**
 * OCI image-spec `manifest.md` and `image-index.md`, Docker's schemas 1 and 2, and OCI artifact manifests. Whoever wrote
 * one may have put anything into the fields that its readers do not use: of what cannot be read nothing is needed.
 */
const documentSchema = v.looseObject({
  config: orNull(linkSchema),
  layers: listOf(linkSchema),
  blobs: listOf(linkSchema),
  manifests: listOf(entrySchema),
  subject: orNull(linkSchema),
  fsLayers: listOf(v.looseObject({ blobSum: digestSchema })),
});

const imageSchema = v.looseObject({ config: linkSchema, layers: v.nullish(v.array(linkSchema)) });

/** Undefined for what is no document at all. */
export function parseLinks(text: string): Links | undefined {
  const value = parseJson(text);
  const { success, output } = v.safeParse(documentSchema, value);
  if (!success) return undefined;
  const { config, layers, blobs, manifests, subject, fsLayers } = output;
  const documents = manifests.map(toLink);
  if (subject) documents.push({ digest: subject.digest });
  return {
    ...(config && v.is(imageSchema, value) ? { config: config.digest } : {}),
    documents,
    blobs: [
      ...[...(config ? [config] : []), ...layers, ...blobs].map(({ digest }) => digest),
      ...fsLayers.map(({ blobSum }) => blobSum),
    ],
  };
}

const indexTypes: ReadonlySet<unknown> = new Set([mediaTypes.ociIndex, mediaTypes.dockerManifestList]);

function toLink({
  digest,
  platform,
  mediaType,
  artifactType,
}: v.InferOutput<typeof entrySchema>): DocumentLink {
  if (!platform || platform.os === 'unknown' || artifactType || indexTypes.has(mediaType)) return { digest };
  const { os, architecture, variant } = platform;
  const named = normalisePlatform({ os, architecture, ...(variant ? { variant } : {}) });
  return { digest, platform: formatPlatform(named) };
}

function orNull<Schema extends v.GenericSchema>(schema: Schema) {
  return v.fallback(v.nullish(schema, null), null);
}

/** What can be read of a list. */
function listOf<Schema extends v.GenericSchema>(schema: Schema) {
  const items = v.pipe(
    v.array(orNull(schema)),
    v.transform((all) => all.filter((one) => one !== null && one !== undefined)),
  );
  return v.fallback(v.nullish(items, []), []);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
