import * as v from 'valibot';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, isDigest } from '../core/digest.ts';

const descriptorSchema = v.object({
  mediaType: v.string(),
  digest: v.custom<Digest>((value) => typeof value === 'string' && isDigest(value)),
  size: v.number(),
});

const annotationsSchema = v.record(v.string(), v.string());

/** OCI image-spec `manifest.md`, and Docker Image Manifest V2, Schema 2, which has the same form. */
const manifestSchema = v.object({
  config: descriptorSchema,
  layers: v.nullable(v.array(descriptorSchema), []),
  annotations: v.fallback(v.optional(annotationsSchema), undefined),
});

const texts = v.fallback(v.optional(v.nullable(v.array(v.string()))), undefined);
const text = v.fallback(v.optional(v.string()), undefined);

/** The part of OCI image-spec `config.md` that people ask for; what has another form is left out. */
const configSchema = v.object({
  created: text,
  author: text,
  architecture: text,
  os: text,
  config: v.fallback(
    v.optional(
      v.object({
        User: text,
        Env: texts,
        Entrypoint: texts,
        Cmd: texts,
        WorkingDir: text,
        StopSignal: text,
        ExposedPorts: v.fallback(v.optional(v.nullable(v.record(v.string(), v.unknown()))), undefined),
        Volumes: v.fallback(v.optional(v.nullable(v.record(v.string(), v.unknown()))), undefined),
        Labels: v.fallback(v.optional(v.nullable(annotationsSchema)), undefined),
      }),
    ),
    undefined,
  ),
});

export interface ManifestContent {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** What an image's config says to whoever runs it; absent or null fields are left out. */
export interface RunConfig {
  readonly created?: string;
  readonly author?: string;
  readonly user?: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Undefined for what is no manifest. */
export function readManifest(bytes: Uint8Array): ManifestContent | undefined {
  const parsed = v.safeParse(manifestSchema, parseJson(bytes));
  if (!parsed.success) return undefined;
  const { config, layers, annotations = {} } = parsed.output;
  return { config, layers, annotations };
}

/** Undefined for what is no config of an image. */
export function readRunConfig(bytes: Uint8Array): RunConfig | undefined {
  const parsed = v.safeParse(configSchema, parseJson(bytes));
  if (!parsed.success) return undefined;
  const { created, author, config = {} } = parsed.output;
  return {
    ...present({ created, author, user: config.User }),
    env: config.Env ?? [],
    entrypoint: config.Entrypoint ?? [],
    cmd: config.Cmd ?? [],
    ...present({ workingDir: config.WorkingDir, stopSignal: config.StopSignal }),
    exposedPorts: Object.keys(config.ExposedPorts ?? {}),
    volumes: Object.keys(config.Volumes ?? {}),
    labels: config.Labels ?? {},
  };
}

function present<Key extends string>(fields: Record<Key, string | undefined>): Partial<Record<Key, string>> {
  const given = Object.entries<string | undefined>(fields).filter(([, value]) => value);
  return Object.fromEntries(given) as Partial<Record<Key, string>>;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
