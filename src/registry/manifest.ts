import * as v from 'valibot';
import { type Descriptor, mediaTypes, type Platform } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import { type Embedded, type ListedDescriptor, readEmbedded } from './embedded.ts';
import { oneLine } from './failures.ts';
import { envelopeSchema, indexSchema, manifestSchema } from './manifest-schema.ts';

/** An image, or an artifact: something else than an image in the form of one, such as a chart or an attestation. */
export interface ImageManifest {
  readonly kind: 'image' | 'artifact';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly embedded: Embedded;
  /** What an artifact is. */
  readonly artifactType?: string;
}

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly entries: readonly IndexEntry[];
  readonly embedded: Embedded;
}

export type ManifestContent = ImageManifest | ImageIndex;

const maxLayers = 1_000;

const indexTypes: ReadonlySet<string> = new Set([mediaTypes.ociIndex, mediaTypes.dockerManifestList]);
const manifestTypes: ReadonlySet<string> = new Set([mediaTypes.ociManifest, mediaTypes.dockerManifest]);
const schema1Types: ReadonlySet<string> = new Set([mediaTypes.dockerSchema1, mediaTypes.dockerSchema1Signed]);

/** What servers answer that know nothing of manifests. */
const genericTypes: ReadonlySet<string> = new Set([
  '',
  'application/json',
  'application/octet-stream',
  'binary/octet-stream',
  'text/plain',
]);

/** What `Accept` asks for; schema 1 too, so that such an image is recognised and answered clearly. */
export const acceptedTypes = [...manifestTypes, ...indexTypes, ...schema1Types].join(', ');

/** What a media type announces; undefined for those that are neither. */
export function kindOfType(mediaType: string): 'manifest' | 'index' | undefined {
  if (indexTypes.has(mediaType)) return 'index';
  return manifestTypes.has(mediaType) || schema1Types.has(mediaType) ? 'manifest' : undefined;
}

/**
 * Reads a manifest or an index. The type in the content and that of the response must agree in which of the two it is;
 * between the names of Docker and OCI the content decides, for that is what the digest covers.
 *
 * @param name what the content is, for messages
 * @param contentType the header of the response, if there was one
 * @throws LayerpullError `invalid_manifest`, `unsupported_manifest`
 */
export function parseManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
  name: string,
): ManifestContent {
  const sentType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (sentType === 'text/html') throw invalid(name, 'a web page came in its place');
  const value = parseJson(bytes, name);
  const envelope = check(envelopeSchema, value, name);
  if (envelope.schemaVersion === 1 || schema1Types.has(sentType)) throw schema1(name);
  if (envelope.schemaVersion !== 2) throw invalid(name, `its schemaVersion is ${envelope.schemaVersion}`);
  const mediaType = agreedType(envelope.mediaType, sentType, value, name);
  if (indexTypes.has(mediaType)) return readIndex(value, mediaType, name);
  if (!manifestTypes.has(mediaType)) throw unsupported(name, `is of type ${oneLine(mediaType)}`);
  return readImage(value, mediaType, envelope.artifactType, name);
}

function parseJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw invalid(name, 'it is not JSON', cause);
  }
}

function check<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  name: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalid(name, oneLine(`${v.getDotPath(issue) ?? 'it'} ${issue.message}`));
}

function agreedType(declared: string | undefined, sent: string, value: unknown, name: string): string {
  if (declared === undefined) return genericTypes.has(sent) ? guessType(value) : sent;
  const sentKind = kindOfType(sent);
  if (sentKind === undefined || sentKind === kindOfType(declared)) return declared;
  throw invalid(name, `it calls itself ${oneLine(declared)} but was sent as ${oneLine(sent)}`);
}

/** OCI lets `mediaType` be absent; then only the fields tell. */
function guessType(value: unknown): string {
  return Object.hasOwn(Object(value), 'manifests') ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

function readIndex(value: unknown, mediaType: string, name: string): ImageIndex {
  const { manifests } = check(indexSchema, value, name);
  const entries = manifests.map(({ platform, ...listed }) => ({
    ...plain(listed),
    ...(platform ? { platform: withoutNull(platform) } : {}),
  }));
  return { kind: 'index', mediaType, entries, embedded: embeddedIn(manifests, name) };
}

function withoutNull({
  os,
  architecture,
  variant,
}: {
  os: string;
  architecture: string;
  variant?: string | null | undefined;
}): Platform {
  return { os, architecture, ...(variant ? { variant } : {}) };
}

function readImage(
  value: unknown,
  mediaType: string,
  artifactType: string | undefined,
  name: string,
): ImageManifest {
  const { config, layers } = check(manifestSchema, value, name);
  if (layers.length > maxLayers) {
    throw invalid(name, `it lists ${layers.length} layers, and at most ${maxLayers} are taken`);
  }
  checkSizes([config, ...layers], name);
  const parts = {
    mediaType,
    config: plain(config),
    layers: layers.map(plain),
    embedded: embeddedIn([config, ...layers], name),
  };
  if (isImageConfig(config.mediaType, mediaType)) return { kind: 'image', ...parts };
  return { kind: 'artifact', ...parts, artifactType: oneLine(artifactType || config.mediaType) };
}

function plain({ mediaType, digest, size }: ListedDescriptor): Descriptor {
  return { mediaType, digest, size };
}

function embeddedIn(listed: readonly ListedDescriptor[], name: string): Embedded {
  return readEmbedded(listed, (problem) => invalid(name, problem));
}

/** @throws LayerpullError `unsupported_manifest` for an artifact, `invalid_manifest` for an index */
export function expectImage(content: ManifestContent, name: string): ImageManifest {
  if (content.kind === 'index') throw invalid(name, 'it is an index');
  if (content.kind === 'artifact') throw unsupported(name, `is an artifact of type ${content.artifactType}`);
  return content;
}

function isImageConfig(configType: string, manifestType: string): boolean {
  if (configType === mediaTypes.ociConfig || configType === mediaTypes.dockerConfig) return true;
  // Very old builders called the config so.
  return manifestType === mediaTypes.dockerManifest && configType === 'application/octet-stream';
}

/** One digest has one size: a manifest that says otherwise can never be pulled. */
function checkSizes(descriptors: readonly Descriptor[], name: string): void {
  const sizes = new Map<string, number>();
  for (const { digest, size } of descriptors) {
    if ((sizes.get(digest) ?? size) !== size) throw invalid(name, `it gives ${digest} two sizes`);
    sizes.set(digest, size);
  }
}

export function invalid(name: string, problem: string, cause?: unknown): LayerpullError {
  return new LayerpullError('invalid_manifest', `the manifest of ${name} is not valid: ${problem}`, {
    hint: 'the image was pushed wrongly, or something between here and the registry answers in its place',
    ...(cause === undefined ? {} : { cause }),
  });
}

function unsupported(name: string, problem: string): LayerpullError {
  return new LayerpullError('unsupported_manifest', `${name} ${problem}`, {
    hint: 'layerpull pulls container images; take other artifacts with a tool like oras',
  });
}

function schema1(name: string): LayerpullError {
  return new LayerpullError(
    'unsupported_manifest',
    `${name} is an image of Docker schema 1, which is obsolete`,
    {
      hint: 'pull and push it again with an older docker, or build it anew',
    },
  );
}
