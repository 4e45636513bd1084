import { homedir, hostname } from 'node:os';
import {
  type GivenFlags,
  type Machine,
  readChoice,
  readDirectory,
  readDuration,
  readSize,
  readSwitch,
  type Setting,
  setting,
  usage,
} from './config-values.ts';
import type { Platform } from './core/descriptor.ts';
import { parsePlatform } from './core/descriptor.ts';
import type { NodeId } from './core/ids.ts';
import { toNodeId } from './core/ids.ts';

export type { GivenFlags, Machine } from './config-values.ts';

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
  readonly bounds: PullBounds;
}

/** When a pull stops relying on others. */
export interface PullBounds {
  /** Milliseconds for the first contact with a lock server, in all. */
  readonly firstContactMs: number;
  /** Milliseconds out of reach of its server until a waiter goes to the registry. */
  readonly outOfReachMs: number;
  /** Bytes per second below which a waiter leaves the holder; 0 never leaves. */
  readonly minRateBytesPerSecond: number;
  /** Milliseconds over which that rate is measured. */
  readonly minRateWindowMs: number;
}

export type StatusConfig = CoordinationConfig;

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
    bounds: {
      firstContactMs: readDuration('first-contact', flags, machine, 3_000),
      outOfReachMs: readDuration('out-of-reach', flags, machine, 5_000),
      minRateBytesPerSecond: readSize('min-rate', flags, machine, 262_144),
      minRateWindowMs: readDuration('min-rate-window', flags, machine, 30_000),
    },
  };
}

/** @throws LayerpullError `usage` */
export function readStatusConfig(flags: GivenFlags, machine: Machine): StatusConfig {
  return readCoordination(flags, machine);
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
  return readDirectory('store', 'store', flags, machine);
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

/** https://no-color.org wins over https://force-color.org; otherwise a terminal that is not dumb gets colour. */
function wantsColor({ env, stderrIsTerminal }: Machine): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return stderrIsTerminal && env['TERM'] !== 'dumb';
}
