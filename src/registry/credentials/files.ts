import type { Clock } from '../../core/clock.ts';
import { isLayerpullError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { type AuthFile, findScoped, findWhole, ownHelper, readAuthFile, unusable } from './auth-file.ts';
import type { Credential, Credentials } from './credentials.ts';
import { createHelper } from './helper.ts';
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
  const warned = new Set<string>();
  const warn = (error: Error) => {
    if (warned.has(error.message)) return;
    warned.add(error.message);
    options.log.warn({}, `${error.message}; going on without it`);
  };
  /** Runs a step of the search; what fails in a file that nobody named is told once and has nothing. */
  const attempt = async <T>(required: boolean, step: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await step();
    } catch (error) {
      if (required || !isLayerpullError(error)) throw error;
      warn(error);
      return undefined;
    }
  };

  const ask = (name: string, key: string, signal: AbortSignal) =>
    createHelper(name, options).get(key, signal);

  const search = async (file: AuthFile, registry: string, repository: string, search: Search) => {
    const { required, signal } = search;
    const own = ownHelper(file, registry);
    if (own && own.name !== '') return await attempt(required, () => ask(own.name, own.key, signal));
    const scoped = await attempt(required, async () => findScoped(file, registry, repository));
    if (scoped) return scoped;
    const { credsStore } = file;
    const asked = !own && credsStore !== '';
    const kept = asked
      ? await attempt(required, () => ask(credsStore, serverKey(registry), signal))
      : undefined;
    return kept ?? (await attempt(required, async () => findWhole(file, registry)));
  };

  return {
    async find(host, repository, signal) {
      const registry = registryNamed(host);
      for (const { path, required } of options.files) {
        signal.throwIfAborted();
        const file = await attempt(required, () => readNamed(path, required));
        const credential = file && (await search(file, registry, repository, { required, signal }));
        if (credential) return credential;
      }
      return undefined;
    },
  };
}

interface Search {
  readonly required: boolean;
  readonly signal: AbortSignal;
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
