import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Platform } from './core/descriptor.ts';
import { parsePlatform } from './core/descriptor.ts';
import { LayerpullError } from './core/errors.ts';
import type { NodeId } from './core/ids.ts';
import { toNodeId } from './core/ids.ts';

/** What every command knows. */
export interface CommonConfig {
  /** Version of layerpull, for the user agent. */
  readonly version: string;
}

/** How a command reaches the lock service. */
export interface CoordinationConfig extends CommonConfig {
  /** Lock servers to try in this order. Empty: the processes on one store elect one of themselves. */
  readonly servers: readonly URL[];
  /** Absolute path of the content store. */
  readonly store: string;
}

export interface PullConfig extends CoordinationConfig {
  readonly node: NodeId;
  readonly platform: Platform;
  /** Layers downloaded at once. */
  readonly concurrency: number;
  /** Speak http to the registry. Loopback registries get http without it. */
  readonly plainHttp: boolean;
  /** What to do when coordination fails: go on alone, or end with exit code 7. */
  readonly onLockFailure: 'fallback' | 'fail';
}

export type StatusConfig = CoordinationConfig;

export interface ServeConfig extends CommonConfig {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ['auto', 'text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];
export const progressModes = ['auto', 'tty', 'plain', 'json', 'none'] as const;
export type ProgressMode = (typeof progressModes)[number];
export const lockFailureModes = ['fallback', 'fail'] as const;

/** How a command talks to people and to other programs. */
export interface OutputConfig {
  /** One JSON document on stdout. */
  readonly json: boolean;
  readonly quiet: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Where progress goes is decided by `auto` and the terminal. */
  readonly progress: ProgressMode;
  /** Whether stderr may get a frame that redraws itself. */
  readonly interactive: boolean;
  readonly color: boolean;
}

/** What was given on the command line: text and switches by flag name, undefined where absent. */
export type GivenFlags = Readonly<Record<string, string | boolean | undefined>>;

/** The machine a command runs on: all that configuration takes from outside. */
export interface Machine {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly home: string;
  readonly superuser: boolean;
  /** Node's name, such as `x64`. */
  readonly architecture: string;
  readonly workingDirectory: string;
  readonly stderrIsTerminal: boolean;
}

/** The one place that reads the environment and the machine. */
export function readMachine(version: string): Machine {
  return {
    version,
    env: process.env,
    hostname: hostname(),
    home: readHome(),
    superuser: process.getuid?.() === 0,
    architecture: process.arch,
    workingDirectory: process.cwd(),
    stderrIsTerminal: process.stderr.isTTY === true,
  };
}

/** `/` for a user without an entry in the user database. */
function readHome(): string {
  try {
    return homedir();
  } catch {
    return '/';
  }
}

/**
 * To be called before oclif is loaded: it asks the user database for the shell and the home, and breaks where the
 * process runs as a user that is not in it, as containers do.
 */
export function prepareEnvironment(): void {
  process.env['SHELL'] ??= '';
  process.env['HOME'] ??= readHome();
}

/** Older environment names that still count, after the `LAYERPULL_` ones. */
const olderNames: Readonly<Record<string, string>> = { server: 'LOCK_SERVER_URL', node: 'NODE_ID' };

interface Setting {
  readonly text: string;
  /** `--node` or `LAYERPULL_NODE`, for error messages. */
  readonly from: string;
}

/** flag > `LAYERPULL_*` > older name; an empty variable counts as absent. */
function setting(name: string, flags: GivenFlags, machine: Machine): Setting | undefined {
  const given = flags[name];
  if (given !== undefined) return { text: String(given), from: `--${name}` };
  const variables = [`LAYERPULL_${name.toUpperCase().replaceAll('-', '_')}`, olderNames[name]];
  for (const variable of variables) {
    const text = variable && machine.env[variable];
    if (text) return { text, from: variable };
  }
  return undefined;
}

/** Reads how to talk. `defaultLevel`: what this command logs when nobody says. @throws LayerpullError `usage` */
export function readOutput(
  flags: GivenFlags,
  machine: Machine,
  defaultLevel: LogLevel = 'warn',
): OutputConfig {
  const quiet = readSwitch('quiet', flags, machine);
  const json = readSwitch('json', flags, machine);
  const terminal = machine.stderrIsTerminal;
  return {
    json,
    quiet,
    logLevel: readChoice('log-level', logLevels, flags, machine) ?? (quiet ? 'error' : defaultLevel),
    logFormat: readChoice('log-format', logFormats, flags, machine) ?? 'auto',
    progress: readChoice('progress', progressModes, flags, machine) ?? (quiet ? 'none' : 'auto'),
    interactive: terminal && machine.env['TERM'] !== 'dumb' && !machine.env['CI'],
    color: wantsColor(machine),
  };
}

/** @throws LayerpullError `usage`, `invalid_platform` */
export function readPullConfig(flags: GivenFlags, machine: Machine): PullConfig {
  return {
    ...readCoordination(flags, machine),
    node: readNode(flags, machine),
    platform: readPlatform(flags, machine),
    concurrency: readConcurrency(flags, machine),
    plainHttp: readSwitch('plain-http', flags, machine),
    onLockFailure: readChoice('on-lock-failure', lockFailureModes, flags, machine) ?? 'fallback',
  };
}

/** @throws LayerpullError `usage` */
export function readStatusConfig(flags: GivenFlags, machine: Machine): StatusConfig {
  return readCoordination(flags, machine);
}

/** @throws LayerpullError `usage` */
export function readServeConfig(flags: GivenFlags, machine: Machine): ServeConfig {
  const given = setting('addr', flags, machine) ?? { text: '127.0.0.1:8080', from: '--addr' };
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s/]*)):(\d{1,5})$/.exec(given.text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw usage(given, 'is not HOST:PORT', 'such as 127.0.0.1:8080, [::1]:8080, or :8080 for all interfaces');
  }
  return { version: machine.version, host: match[1] ?? (match[2] || '::'), port };
}

function readCoordination(flags: GivenFlags, machine: Machine): CoordinationConfig {
  const servers = setting('server', flags, machine);
  return {
    version: machine.version,
    servers: servers ? parseServers(servers) : [],
    store: readStore(flags, machine),
  };
}

/** `URL[,URL]`, each also as `HOST:PORT`. An empty `--server` overrules the environment: no server. */
function parseServers(given: Setting): URL[] {
  const parts = given.text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').map((part) => parseServer({ ...given, text: part }));
}

function parseServer(given: Setting): URL {
  const hint = 'give http://HOST:PORT or HOST:PORT, several separated by commas';
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(given.text);
  if (!hasScheme && !/:\d+$/.test(given.text)) throw usage(given, 'has no port', hint);
  const text = hasScheme ? given.text : `http://${given.text}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.hostname) throw usage(given, 'is not the address of a lock server', hint);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw usage(given, 'is neither http nor https', hint);
  if (url.username || url.password)
    throw usage({ ...given, text: url.host }, 'must not carry a password', hint);
  if (url.search || url.hash) throw usage(given, 'must end after its host and path', hint);
  return url;
}

/**
 * Default: `$XDG_DATA_HOME/layerpull/store` (`~/.local/share` without it), and `/var/lib/layerpull/store` for root,
 * whose home is seldom where a machine keeps shared content.
 */
function readStore(flags: GivenFlags, machine: Machine): string {
  const given = setting('store', flags, machine);
  if (given) {
    if (given.text.trim() === '')
      throw usage(given, 'names no directory', 'give the path of the content store');
    return resolve(machine.workingDirectory, given.text);
  }
  if (machine.superuser) return '/var/lib/layerpull/store';
  const dataHome = machine.env['XDG_DATA_HOME'];
  // The XDG specification: a relative path is invalid and is ignored.
  const base = dataHome?.startsWith('/') ? dataHome : join(machine.home, '.local', 'share');
  return join(base, 'layerpull', 'store');
}

function readNode(flags: GivenFlags, machine: Machine): NodeId {
  const given = setting('node', flags, machine) ?? { text: machine.hostname, from: '--node' };
  if (!/^[\x21-\x7e]{1,253}$/.test(given.text)) {
    throw usage(given, 'is not a node id', 'use 1 to 253 visible ASCII characters without blanks');
  }
  return toNodeId(given.text);
}

/** Go's names for Node's architectures, where they differ. */
const goArchitectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm: 'arm/v7',
  ppc64: 'ppc64le',
};

/** Images are nearly always for linux, so that is the default on every machine; the architecture is the host's. */
function readPlatform(flags: GivenFlags, machine: Machine): Platform {
  const { architecture } = machine;
  const given = setting('platform', flags, machine);
  return parsePlatform(given?.text ?? `linux/${goArchitectures[architecture] ?? architecture}`);
}

/**
 * Default 4. docker and containerd take 3 at once, skopeo 6. A layer that waits for another node gives its place
 * back, so every place here is a running download: 4 fill a link while one of them is being verified, and many nodes
 * together stay below the connections that registries allow per client.
 */
function readConcurrency(flags: GivenFlags, machine: Machine): number {
  const given = setting('concurrency', flags, machine);
  if (!given) return 4;
  const value = /^\d{1,3}$/.test(given.text) ? Number(given.text) : 0;
  if (value < 1 || value > 64)
    throw usage(given, 'is not a number of layers', 'give a whole number from 1 to 64');
  return value;
}

function readSwitch(name: string, flags: GivenFlags, machine: Machine): boolean {
  const given = setting(name, flags, machine);
  if (!given) return false;
  const text = given.text.toLowerCase();
  if (text === '1' || text === 'true') return true;
  if (text === '0' || text === 'false') return false;
  throw usage(given, 'is neither true nor false', 'use 1, true, 0 or false');
}

function readChoice<Choice extends string>(
  name: string,
  choices: readonly Choice[],
  flags: GivenFlags,
  machine: Machine,
): Choice | undefined {
  const given = setting(name, flags, machine);
  if (!given) return undefined;
  const choice = choices.find((candidate) => candidate === given.text);
  if (choice === undefined) throw usage(given, 'is not known', `choose one of ${choices.join(', ')}`);
  return choice;
}

/** https://no-color.org wins over https://force-color.org; otherwise a terminal that is not dumb gets colour. */
function wantsColor({ env, stderrIsTerminal }: Machine): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return stderrIsTerminal && env['TERM'] !== 'dumb';
}

function usage(given: Setting, problem: string, hint: string): LayerpullError {
  return new LayerpullError('usage', `${given.from}: "${given.text}" ${problem}`, { hint });
}
