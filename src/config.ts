import { homedir, hostname } from 'node:os';
import { readTrust, type TrustConfig } from './config/trust.ts';
import {
  type GivenFlags,
  type Machine,
  readChoice,
  readDirectory,
  readSwitch,
  type Setting,
  setting,
  usage,
} from './config/values.ts';

export type { GivenFlags, Machine } from './config/values.ts';

/** What every command knows. */
export interface CommonConfig {
  /** Version of layerpull, for the user agent. */
  readonly version: string;
}

/** What a command needs that looks into a store. */
export interface StoreConfig extends CommonConfig {
  /** Absolute path of the content store. */
  readonly store: string;
}

/** How a command reaches the lock service. */
export interface CoordinationConfig extends StoreConfig {
  /** Lock servers of one service: any of them will do. Empty: the processes on one store elect one of themselves. */
  readonly servers: readonly URL[];
  /** What those servers, and peers, are told and checked by; undefined: nothing was given. */
  readonly trust?: TrustConfig | undefined;
}

export type StatusConfig = CoordinationConfig;

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ['auto', 'text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];
export const progressModes = ['auto', 'tty', 'plain', 'json', 'none'] as const;
export type ProgressMode = (typeof progressModes)[number];

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
    stdoutIsTerminal: process.stdout.isTTY === true,
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

/** @throws LayerpullError `usage` */
export function readStoreConfig(flags: GivenFlags, machine: Machine): StoreConfig {
  return { version: machine.version, store: readStore(flags, machine) };
}

/** @throws LayerpullError `usage` */
export function readStatusConfig(flags: GivenFlags, machine: Machine): StatusConfig {
  return readCoordination(flags, machine);
}

/** @throws LayerpullError `usage` */
export function readCoordination(flags: GivenFlags, machine: Machine): CoordinationConfig {
  const servers = setting('server', flags, machine);
  const trust = readTrust(flags, machine);
  return {
    version: machine.version,
    servers: servers ? parseServers(servers, trust?.pair || trust?.caFile ? 'https' : 'http') : [],
    store: readStore(flags, machine),
    trust,
  };
}

/**
 * `URL[,URL]`, each also as `HOST:PORT`, with `scheme` before it then. An empty `--server` overrules the environment: no
 * server.
 */
function parseServers(given: Setting, scheme: 'http' | 'https'): URL[] {
  const parts = given.text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').map((part) => parseServer({ ...given, text: part }, scheme));
}

function parseServer(given: Setting, scheme: 'http' | 'https'): URL {
  const hint = 'give http://HOST:PORT or HOST:PORT, several separated by commas';
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(given.text);
  if (!hasScheme && !/:\d+$/.test(given.text)) throw usage(given, 'has no port', hint);
  const text = hasScheme ? given.text : `${scheme}://${given.text}`;
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
  return readDirectory('store', 'store', flags, machine);
}

/** https://no-color.org wins over https://force-color.org; otherwise a terminal that is not dumb gets colour. */
function wantsColor({ env, stderrIsTerminal }: Machine): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return stderrIsTerminal && env['TERM'] !== 'dumb';
}
