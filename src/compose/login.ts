import type { LoginConfig } from '../config/login.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { createHttpClient } from '../http/client.ts';
import { meansTls } from '../http/trust.ts';
import type { Credential } from '../registry/credentials/credentials.ts';
import { createFileCredentials } from '../registry/credentials/files.ts';
import { createKeeper } from '../registry/credentials/keeper.ts';
import { type LoginTarget, parseLoginTarget } from '../registry/credentials/keys.ts';
import { endpointOf } from '../registry/endpoint.ts';
import { checkLogin } from '../registry/login.ts';
import { namingHosts } from '../registry/transport.ts';

/** What `login --json` shows. */
export interface LoginResult {
  /** With its namespace, if one was given. */
  readonly registry: string;
  readonly username: string;
  /** The file that was written. */
  readonly file: string;
  /** Name of the helper that keeps the secret; null: it stands in the file. */
  readonly helper: string | null;
  /** Whether an identity token is kept in place of the password. */
  readonly identityToken: boolean;
}

/** What `logout --json` shows. */
export interface LogoutResult {
  readonly registry: string;
  readonly file: string;
  /** False: nobody was signed in there. */
  readonly removed: boolean;
}

/** The name of what `text` stands for. @throws LayerpullError `usage` */
export function loginName(text: string | undefined): string {
  const { registry, namespace } = parseLoginTarget(text);
  return namespace === '' ? registry : `${registry}/${namespace}`;
}

export interface Account {
  readonly username: string;
  readonly password: string;
}

/** Shows the password to the registry, and keeps it where the registry took it. @throws LayerpullError */
export async function login(
  config: LoginConfig,
  text: string | undefined,
  account: Account,
  log: Log,
  signal: AbortSignal,
): Promise<LoginResult> {
  const target = parseLoginTarget(text);
  const { version, plainHttp, tls, proxies } = config.registry;
  const http = createHttpClient({ userAgent: `layerpull/${version}`, refuseLinkLocal: true, tls, proxies });
  try {
    const endpoint = endpointOf(target.registry, plainHttp, (url) => meansTls(tls, url));
    const parts = { transport: namingHosts(http), clock: systemClock };
    const credential = { kind: 'password', ...account, from: 'the command line' } as const;
    const proven = await checkLogin(parts, endpoint, credential, signal);
    const { file, helper } = await keeperOf(config).keep(target, proven, signal);
    if (helper === undefined)
      log.warn({}, `${file} keeps the secret unencrypted; a credential helper would not`);
    await warnOfEarlier(config, target, file, log, signal);
    const identityToken = proven.kind === 'identity';
    return {
      registry: loginName(text),
      username: account.username,
      file,
      helper: helper ?? null,
      identityToken,
    };
  } finally {
    await http.close();
  }
}

/** Forgets what `login` kept, and says where else credentials are left. @throws LayerpullError */
export async function logout(
  config: LoginConfig,
  text: string | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<LogoutResult> {
  const target = parseLoginTarget(text);
  const { file, removed } = await keeperOf(config).forget(target, signal);
  const others = config.registry.access.files.map(({ path }) => path).filter((path) => path !== file);
  const left = await findIn(others, config, target, log, signal);
  if (left) log.warn({}, `${left.from} still has credentials for ${loginName(text)}`);
  return { registry: loginName(text), file, removed };
}

/** What files keep that nobody named. */
async function findIn(
  paths: readonly string[],
  { registry }: LoginConfig,
  target: LoginTarget,
  log: Log,
  signal: AbortSignal,
): Promise<Credential | undefined> {
  const files = paths.map((path) => ({ path, required: false }));
  const found = createFileCredentials({ files, env: registry.access.env, clock: systemClock, log });
  return await found.find(target.registry, target.namespace, signal);
}

/** A pull asks other files first: the one that was written may never be reached. */
async function warnOfEarlier(
  config: LoginConfig,
  target: LoginTarget,
  file: string,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const paths = config.registry.access.files.map(({ path }) => path);
  const earlier = await findIn(paths.slice(0, Math.max(0, paths.indexOf(file))), config, target, log, signal);
  if (earlier)
    log.warn({}, `a pull asks ${earlier.from} first, which has other credentials for ${target.registry}`);
}

function keeperOf({ authFile, registry }: LoginConfig) {
  return createKeeper(authFile, { env: registry.access.env, clock: systemClock });
}
