import * as v from 'valibot';
import { LayerpullError } from '../core/errors.ts';
import { formatReference, type ImageReference, parseReference } from './reference.ts';

/** A repository on a host. */
export interface RepositoryPlace {
  readonly host: string;
  readonly repository: string;
  /** Any certificate is good enough, and so is plain http. */
  readonly insecure: boolean;
}

/** What `registries.conf` says about one image. */
export interface Found {
  /** Absent unless the image is blocked: the file that does it. */
  readonly blockedBy?: string;
  readonly mirrors: readonly RepositoryPlace[];
  /** The registry itself, which may be elsewhere than the name says. */
  readonly location: RepositoryPlace;
}

/** Mirrors and more for images by the beginning of their names (containers-registries.conf(5), version 2). */
export interface RegistriesConf {
  /** Undefined for an image that it says nothing of. @throws LayerpullError `usage` for a name that cannot be */
  find(reference: ImageReference): Found | undefined;
}

export interface RegistriesFile {
  readonly path: string;
  /** As TOML has it. */
  readonly document: unknown;
}

const mirrorSchema = v.object({
  location: v.string(),
  insecure: v.optional(v.boolean(), false),
  'pull-from-mirror': v.optional(v.picklist(['all', 'digest-only', 'tag-only', '']), 'all'),
});

const registrySchema = v.object({
  prefix: v.optional(v.string(), ''),
  location: v.optional(v.string(), ''),
  insecure: v.optional(v.boolean(), false),
  blocked: v.optional(v.boolean(), false),
  'mirror-by-digest-only': v.optional(v.boolean(), false),
  mirror: v.optional(v.array(mirrorSchema), []),
});

/** What version 1 said; its list for short names means nothing here, as a short name is always Docker Hub's. */
const olderSchema = v.object({ registries: v.optional(v.array(v.string()), []) });

const fileSchema = v.object({
  registry: v.optional(v.array(registrySchema), []),
  registries: v.optional(v.object({ insecure: v.optional(olderSchema), block: v.optional(olderSchema) }), {}),
});

type Mirror = v.InferOutput<typeof mirrorSchema>;
type Registry = v.InferOutput<typeof registrySchema> & { readonly file: string };

/**
 * Of several files the later ones count more: what they say about a prefix takes the place of what the earlier ones
 * said about it. What does not concern the way to a registry is passed over, as `unqualified-search-registries`.
 *
 * @throws LayerpullError `usage`
 */
export function createRegistriesConf(files: readonly RegistriesFile[]): RegistriesConf {
  const byPrefix = new Map<string, Registry>();
  for (const registry of files.flatMap(readRegistries)) byPrefix.set(registry.prefix, registry);
  const registries = [...byPrefix.values()];
  return {
    find(reference) {
      const text = formatReference(reference);
      const best = longestMatch(registries, text);
      return best && found(best, text, reference.digest !== undefined);
    },
  };
}

function readRegistries({ path, document }: RegistriesFile): Registry[] {
  const parsed = v.safeParse(fileSchema, document);
  if (!parsed.success) throw unusable(path, problemOf(parsed.issues[0]));
  const { registry, registries } = parsed.output;
  const older = [...(registries.insecure?.registries ?? []), ...(registries.block?.registries ?? [])];
  if (older.length > 0) throw unusable(path, 'is written in version 1 of the format');
  return registry.map((one) => completed(one, path));
}

function problemOf(issue: v.BaseIssue<unknown>): string {
  const where = issue.path?.map(({ key }) => String(key)).join('.') ?? '';
  return `has a wrong value at ${where === '' ? 'its top' : where}: ${issue.message}`;
}

/** A prefix stands for itself, and a location alone is its own prefix. */
function completed(registry: v.InferOutput<typeof registrySchema>, file: string): Registry {
  const location = trimmed(registry.location);
  const prefix = trimmed(registry.prefix) || location;
  if (prefix === '') throw unusable(file, 'has a registry with neither prefix nor location');
  if (location === '' && !prefix.startsWith('*.')) throw unusable(file, `says no location for ${prefix}`);
  if (registry['mirror-by-digest-only'] && registry.mirror.some((one) => isRestricted(one))) {
    throw unusable(file, `has both mirror-by-digest-only and pull-from-mirror for ${prefix}`);
  }
  return { ...registry, prefix, location, file };
}

function isRestricted(mirror: Mirror): boolean {
  return mirror['pull-from-mirror'] === 'digest-only' || mirror['pull-from-mirror'] === 'tag-only';
}

function trimmed(location: string): string {
  return location.trim().replace(/\/+$/, '');
}

function longestMatch(registries: readonly Registry[], text: string): Registry | undefined {
  const fitting = registries.filter(({ prefix }) => matchLength(text, prefix) !== undefined);
  return fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0];
}

/** How much of a name a prefix covers, `*.example.com` the whole host; undefined where it does not fit. */
function matchLength(text: string, prefix: string): number | undefined {
  const isWild = prefix.startsWith('*.');
  const start = isWild ? text.indexOf(prefix.slice(1)) : 0;
  if (start < 0 || text.slice(0, start).includes('/')) return undefined;
  if (!isWild && !text.startsWith(prefix)) return undefined;
  const end = isWild ? start + prefix.length - 1 : prefix.length;
  const isWhole = end === text.length || ':/@'.includes(text.charAt(end));
  return isWhole ? end : undefined;
}

function found(registry: Registry, text: string, byDigest: boolean): Found {
  const mirrors = registry.mirror.filter((mirror) => serves(registry, mirror, byDigest));
  return {
    ...(registry.blocked ? { blockedBy: registry.file } : {}),
    mirrors: mirrors.map((mirror) => placeAt(registry, text, trimmed(mirror.location), mirror.insecure)),
    location: placeAt(registry, text, registry.location, registry.insecure),
  };
}

/** Tags may lag behind on a mirror; digests cannot. */
function serves(registry: Registry, mirror: Mirror, byDigest: boolean): boolean {
  const only = registry['mirror-by-digest-only'] ? 'digest-only' : mirror['pull-from-mirror'];
  if (only === 'digest-only') return byDigest;
  return only !== 'tag-only' || !byDigest;
}

/** The name with its prefix replaced by a location. */
function placeAt(registry: Registry, text: string, location: string, insecure: boolean): RepositoryPlace {
  const rest = text.slice(matchLength(text, registry.prefix));
  const { registry: host, repository } = parsedAt(registry, location === '' ? text : location + rest);
  return { host, repository, insecure };
}

function parsedAt(registry: Registry, text: string): ImageReference {
  try {
    return parseReference(text);
  } catch (cause) {
    throw unusable(
      registry.file,
      `makes ${withoutSecret(text)} of an image of ${registry.prefix}, which is no image name`,
      cause,
    );
  }
}

/** What stands before the @ of a host may be a password. */
function withoutSecret(text: string): string {
  return text.replace(/^([a-z]+:\/\/)?[^/]*@/i, '…@');
}

/** An error about the file itself. */
export function unusable(path: string, problem: string, cause?: unknown): LayerpullError {
  return new LayerpullError('usage', `${path} ${problem}`, {
    hint: 'see containers-registries.conf(5), or name another file with --registries-conf',
    cause,
  });
}
