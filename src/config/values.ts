import { join, resolve } from 'node:path';
import { LayerpullError } from '../core/errors.ts';

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
  readonly stdoutIsTerminal: boolean;
  /** The configuration file, if there is one. */
  readonly file?: ConfigFile;
}

/** A configuration file that was read. */
export interface ConfigFile {
  /** Absolute. */
  readonly path: string;
  /** By flag name; lists are joined by commas. */
  readonly settings: ReadonlyMap<string, string>;
  /** Settings for single registries: `docker.io`. */
  readonly registries: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Names of older clients and of other tools that count too, after the `LAYERPULL_` ones. */
const olderNames: Readonly<Record<string, string>> = {
  server: 'LOCK_SERVER_URL',
  node: 'NODE_ID',
  socket: 'CONTENTD_SOCKET',
  authfile: 'REGISTRY_AUTH_FILE',
  'registries-conf': 'CONTAINERS_REGISTRIES_CONF',
};

export interface Setting {
  readonly text: string;
  /** `--node`, `LAYERPULL_NODE` or `FILE: node`, for error messages. */
  readonly from: string;
}

/** flag > `LAYERPULL_*` > older name > configuration file; an empty variable counts as absent. */
export function setting(name: string, flags: GivenFlags, machine: Machine): Setting | undefined {
  const given = flags[name];
  if (given !== undefined) return { text: String(given), from: `--${name}` };
  const variables = [`LAYERPULL_${name.toUpperCase().replaceAll('-', '_')}`, olderNames[name]];
  for (const variable of variables) {
    const text = variable && machine.env[variable];
    if (text) return { text, from: variable };
  }
  return settingOfFile(name, machine.file);
}

function settingOfFile(name: string, file: ConfigFile | undefined): Setting | undefined {
  const text = file?.settings.get(name);
  return file === undefined || text === undefined ? undefined : { text, from: `${file.path}: ${name}` };
}

/** The file's table for one registry, read as if it were a configuration file of its own. */
export function registryTable({ path, registries }: ConfigFile, registry: string): ConfigFile {
  const settings = registries.get(registry) ?? new Map();
  return { path: `${path}: [registry.${JSON.stringify(registry)}]`, settings, registries: new Map() };
}

export function readSwitch(name: string, flags: GivenFlags, machine: Machine): boolean {
  const given = setting(name, flags, machine);
  if (!given) return false;
  const text = given.text.toLowerCase();
  if (text === '1' || text === 'true') return true;
  if (text === '0' || text === 'false') return false;
  throw usage(given, 'is neither true nor false', 'use 1, true, 0 or false');
}

export function readChoice<Choice extends string>(
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

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration as Go writes it: `500ms`, `30s`, `1m30s`, `10m`; at most a day. */
export function readDuration(name: string, flags: GivenFlags, machine: Machine, defaultMs: number): number {
  const given = setting(name, flags, machine);
  if (!given) return defaultMs;
  const hint = 'give a duration such as 500ms, 30s, 1m30s or 10m';
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(given.text)) throw usage(given, 'is not a duration', hint);
  let sumMs = 0;
  for (const [, count, unit = 'ms'] of given.text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    sumMs += Number(count) * (durationUnits[unit] ?? 0);
  }
  if (sumMs < 1 || sumMs > 86_400_000) throw usage(given, 'is not between 1ms and 24h', hint);
  return Math.round(sumMs);
}

/** The same, or 0: written `0`, or with a unit. */
export function readDurationOrZero(
  name: string,
  flags: GivenFlags,
  machine: Machine,
  defaultMs: number,
): number {
  const given = setting(name, flags, machine);
  return given && /^0(ms|s|m|h)?$/.test(given.text) ? 0 : readDuration(name, flags, machine, defaultMs);
}

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  kB: 1_000,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
};

/** Bytes of a size such as `256KiB` or `10MiB`. */
export function readSize(name: string, flags: GivenFlags, machine: Machine, defaultBytes: number): number {
  const given = setting(name, flags, machine);
  if (!given) return defaultBytes;
  const match = /^(\d{1,12}(?:\.\d{1,6})?)([A-Za-z]*)$/.exec(given.text);
  const unit = sizeUnits[match?.[2] ?? 'none'];
  if (!match || unit === undefined)
    throw usage(given, 'is not a size', 'give a size such as 256KiB or 10MiB');
  return Math.round(Number(match[1]) * unit);
}

/** A whole number of `things` from 1 to `most`. */
export function countIn(given: Setting, most: number, things: string): number {
  const count = /^\d{1,6}$/.test(given.text) ? Number(given.text) : 0;
  if (count >= 1 && count <= most) return count;
  throw usage(given, `is not a number of ${things}`, `give a whole number from 1 to ${most}`);
}

export function usage(given: Setting, problem: string, hint: string): LayerpullError {
  return new LayerpullError('usage', `${given.from}: "${given.text}" ${problem}`, { hint });
}

/** An absolute path. Default: the folder in `$XDG_DATA_HOME/layerpull` (`~/.local/share`), for root in `/var/lib/layerpull`. */
export function readDirectory(name: string, folder: string, flags: GivenFlags, machine: Machine): string {
  const given = setting(name, flags, machine);
  if (given) {
    if (given.text.trim() === '') throw usage(given, 'names no directory', 'give the path of a directory');
    return resolve(machine.workingDirectory, given.text);
  }
  if (machine.superuser) return `/var/lib/layerpull/${folder}`;
  const dataHome = machine.env['XDG_DATA_HOME'];
  // The XDG specification: a relative path is invalid and is ignored.
  const base = dataHome?.startsWith('/') ? dataHome : join(machine.home, '.local', 'share');
  return join(base, 'layerpull', folder);
}
