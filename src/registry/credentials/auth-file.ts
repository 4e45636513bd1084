import { createReadStream } from 'node:fs';
import * as v from 'valibot';
import { LayerpullError, messageOf, systemCodeOf } from '../../core/errors.ts';
import { readWhole } from '../../http/limits.ts';
import type { Credential } from './credentials.ts';
import { readEntry } from './entry.ts';
import { helperKeys, registryOfKey, scopedKeys } from './keys.ts';

/** docker's `config.json` or podman's `auth.json`: the parts that concern credentials. Own properties only. */
export interface AuthFile {
  readonly path: string;
  /** All of it, to be kept when a part is changed. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, string>>;
  /** Name of the helper for what is not in `credHelpers`. Empty: the file itself. */
  readonly credsStore: string;
}

const maxFileBytes = 1_048_576;

const fileSchema = v.object({
  auths: v.nullish(v.record(v.string(), v.unknown()), {}),
  credHelpers: v.nullish(v.record(v.string(), v.string()), {}),
  credsStore: v.nullish(v.string(), ''),
});

/**
 * Reads a file of credentials; undefined where there is none. An empty one (`/dev/null`) has no entries.
 *
 * @throws LayerpullError `credentials_unusable`
 */
export async function readAuthFile(path: string): Promise<AuthFile | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  const document = text.trim() === '' ? {} : parseJson(text);
  if (!isRecord(document)) throw unusable(path, 'is no JSON object');
  const parsed = v.safeParse(fileSchema, document);
  if (!parsed.success) throw unusable(path, 'does not have the form of a file of credentials');
  return { path, document, ...parsed.output };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const bytes = createReadStream(path, { end: maxFileBytes });
    const tooLong = () => unusable(path, `is longer than ${maxFileBytes} bytes`);
    return (await readWhole(bytes, maxFileBytes, tooLong)).toString().replace(/^\uFEFF/, '');
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error instanceof LayerpullError
      ? error
      : unusable(path, `cannot be read: ${messageOf(error)}`, error);
  }
}

/** Says nothing of what is wrong with the text: it may stand beside a secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function unusable(path: string, problem: string, cause?: unknown): LayerpullError {
  return new LayerpullError('credentials_unusable', `the file of credentials ${path} ${problem}`, {
    hint: 'repair it, or name another one with --authfile',
    origin: 'user',
    cause,
  });
}

/** A helper with the name under which it keeps a registry. */
export interface HelperUse {
  readonly name: string;
  readonly key: string;
}

/** The helper that `credHelpers` names; an empty name there means the file itself. */
export function ownHelper({ credHelpers }: AuthFile, registry: string): HelperUse | undefined {
  const key = helperKeys(registry).find((candidate) => Object.hasOwn(credHelpers, candidate));
  return key === undefined ? undefined : { name: credHelpers[key] ?? '', key };
}

/** The entry of `auths` with exactly one of these keys, the first that has credentials. */
function findExact(file: AuthFile, keys: readonly string[]): Credential | undefined {
  for (const key of keys) {
    if (!Object.hasOwn(file.auths, key)) continue;
    const credential = entryOf(file, key);
    if (credential) return credential;
  }
  return undefined;
}

/** The entry for a part of the registry: `REGISTRY/team/app` before `REGISTRY/team`. */
export function findScoped(file: AuthFile, registry: string, repository: string): Credential | undefined {
  return findExact(file, scopedKeys(registry, repository));
}

/** The entry for the whole registry: its plain name before the other ways in which it can be written. */
export function findWhole(file: AuthFile, registry: string): Credential | undefined {
  return findExact(file, [registry, ...keysOfRegistry(file, registry)]);
}

/** Every key of `auths` that means the whole registry. */
export function keysOfRegistry(file: Pick<AuthFile, 'auths'>, registry: string): string[] {
  return Object.keys(file.auths).filter((key) => registryOfKey(key) === registry.toLowerCase());
}

function entryOf(file: AuthFile, key: string): Credential | undefined {
  const credential = readEntry(file.auths[key], file.path);
  if (credential === 'damaged') throw unusable(file.path, `has a damaged entry for ${JSON.stringify(key)}`);
  return credential;
}
