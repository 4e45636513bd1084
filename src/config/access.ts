import { join, resolve } from 'node:path';
import { LayerpullError } from '../core/errors.ts';
import { type GivenFlags, type Machine, type Setting, setting, usage } from './values.ts';

/** Where credentials for registries are. */
export interface AccessConfig {
  /** Absolute paths, in the order in which they are asked. */
  readonly files: readonly CredentialFile[];
  /** `--creds`, for the registry of the image. */
  readonly given: { readonly username: string; readonly password: string } | undefined;
  /** For the programs that keep credentials. */
  readonly env: Machine['env'];
}

export interface CredentialFile {
  readonly path: string;
  /** Somebody named it: it has to be there and whole. */
  readonly required: boolean;
}

/** @throws LayerpullError `usage` */
export function readAccess(flags: GivenFlags, machine: Machine): AccessConfig {
  const { env } = machine;
  return { files: readFiles(flags, machine), given: readCreds(setting('creds', flags, machine)), env };
}

/** The file that `login` and `logout` change: docker's, if no other is named. @throws LayerpullError `usage` */
export function readAuthFilePath(flags: GivenFlags, machine: Machine): string {
  return namedFile(flags, machine) ?? dockerFile(machine);
}

/** A named file stands alone; else podman's places come first and docker's last, as podman and skopeo have it. */
function readFiles(flags: GivenFlags, machine: Machine): readonly CredentialFile[] {
  const named = namedFile(flags, machine);
  if (named !== undefined) return [{ path: named, required: true }];
  const paths = [...podmanFiles(machine), dockerFile(machine)];
  return paths.map((path) => ({ path, required: false }));
}

function namedFile(flags: GivenFlags, machine: Machine): string | undefined {
  const given = setting('authfile', flags, machine);
  if (!given) return undefined;
  if (given.text.trim() === '')
    throw usage(given, 'names no file', 'give the path of a file with credentials');
  return resolve(machine.workingDirectory, given.text);
}

function podmanFiles({ env, home, superuser }: Machine): string[] {
  const runtime = absolute(env['XDG_RUNTIME_DIR']);
  const config = absolute(env['XDG_CONFIG_HOME']) ?? join(home, '.config');
  // Root often has no runtime directory of its own; podman then takes this one.
  const ofRun = runtime ? [join(runtime, 'containers')] : superuser ? ['/run/containers/0'] : [];
  return [...ofRun, join(config, 'containers')].map((folder) => join(folder, 'auth.json'));
}

/** The XDG specification: a relative path is invalid and is ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path : undefined;
}

function dockerFile({ env, home, workingDirectory }: Machine): string {
  return join(resolve(workingDirectory, env['DOCKER_CONFIG'] || join(home, '.docker')), 'config.json');
}

/** Never repeats what was given: it is a secret. */
function readCreds(given: Setting | undefined): AccessConfig['given'] {
  if (!given) return undefined;
  const colon = given.text.indexOf(':');
  if (colon < 1) {
    throw new LayerpullError('usage', `${given.from} is not USER:PASSWORD`, {
      hint: 'give both, or sign in with layerpull login',
    });
  }
  return { username: given.text.slice(0, colon), password: given.text.slice(colon + 1) };
}
