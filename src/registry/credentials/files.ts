import type { Clock } from '../../core/clock.ts';
import { isLayerpullError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import {
  type AuthFile,
  findScoped,
  findWhole,
  type HelperUse,
  ownHelper,
  readAuthFile,
  unusable,
} from './auth-file.ts';
import type { Credential, Credentials } from './credentials.ts';
import { createHelper, type HelperOptions } from './helper.ts';
import { registryNamed, serverKey } from './keys.ts';

/** A file that may hold credentials. */
export interface CredentialFile {
  readonly path: string;
  /** Somebody named it: it has to be there and whole. Others are skipped with a warning. */
  readonly required: boolean;
}

export interface FileCredentialsOptions {
  /** In the order in which they are asked; the first that has credentials counts. */
  readonly files: readonly CredentialFile[];
  /** For the programs that keep credentials. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

/**
 * Credentials as docker and podman keep them: `auths` with keys for registries and for parts of them, `credHelpers`
 * and `credsStore` (docs.docker.com/reference/cli/docker/login, containers-auth.json(5)).
 */
export function createFileCredentials(options: FileCredentialsOptions): Credentials {
  const lenient = warningOnce(options.log);
  return {
    async find(host, repository, signal) {
      const wanted = { registry: registryNamed(host), repository, signal };
      for (const file of options.files) {
        signal.throwIfAborted();
        const attempt = file.required ? strict : lenient;
        const credential = await searchFile(file, wanted, attempt, options);
        if (credential) return credential;
      }
      return undefined;
    },
  };
}

interface Wanted {
  readonly registry: string;
  readonly repository: string;
  readonly signal: AbortSignal;
}

/** Runs a step of a search, and decides what becomes of its errors. */
type Attempt = <T>(step: () => Promise<T>) => Promise<T | undefined>;

const strict: Attempt = (step) => step();

/** What fails has nothing, and is told once. */
function warningOnce(log: FileCredentialsOptions['log']): Attempt {
  const told = new Set<string>();
  return async (step) => {
    try {
      return await step();
    } catch (error) {
      if (!isLayerpullError(error)) throw error;
      if (!told.has(error.message)) log.warn({}, `${error.message}; going on without it`);
      told.add(error.message);
      return undefined;
    }
  };
}

/**
 * A helper for the registry counts most, as with podman; then the entry for a part of it, the helper for all, and the
 * entry for the whole registry, as with docker.
 */
async function searchFile(
  { path, required }: CredentialFile,
  { registry, repository, signal }: Wanted,
  attempt: Attempt,
  options: HelperOptions,
): Promise<Credential | undefined> {
  const file = await attempt(() => readNamed(path, required));
  if (!file) return undefined;
  const ask = ({ name, key }: HelperUse) => attempt(() => createHelper(name, options).get(key, signal));
  const own = ownHelper(file, registry);
  if (own && own.name !== '') return await ask(own);
  const common =
    own || file.credsStore === '' ? undefined : { name: file.credsStore, key: serverKey(registry) };
  return (
    (await attempt(async () => findScoped(file, registry, repository))) ??
    (common && (await ask(common))) ??
    (await attempt(async () => findWhole(file, registry)))
  );
}

async function readNamed(path: string, required: boolean): Promise<AuthFile | undefined> {
  const file = await readAuthFile(path);
  if (!file && required) throw unusable(path, 'does not exist');
  return file;
}

/** `--creds`: for one registry and no other, not even a mirror of it. */
export function createGivenCredentials(
  given: { readonly username: string; readonly password: string },
  registry: string,
): Credentials {
  const credential: Credential = { kind: 'password', ...given, from: '--creds' };
  return {
    find: async (asked) => (registryNamed(asked) === registryNamed(registry) ? credential : undefined),
  };
}
