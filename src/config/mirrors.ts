import { join, resolve } from 'node:path';
import {
  type ConfigFile,
  countIn,
  type GivenFlags,
  type Machine,
  readChoice,
  readDuration,
  readSize,
  registryTable,
  type Setting,
  setting,
  usage,
} from './values.ts';

export const mirrorOrders = ['ordered', 'shuffled'] as const;

/** A mirror: another server with the repositories of a registry. */
export interface MirrorPlace {
  /** Absent: as for a registry. */
  readonly scheme?: 'http' | 'https';
  /** `10.0.0.11:5000` */
  readonly host: string;
  /** What stands before each repository's name, without slashes at its ends; empty for nothing. */
  readonly path: string;
}

export interface MirrorList {
  readonly places: readonly MirrorPlace[];
  readonly shuffled: boolean;
}

/** Servers that are asked before the registry of an image. */
export interface MirrorsConfig {
  /** Of the command line or the environment: for every registry. */
  readonly given: MirrorList | undefined;
  /** Of the configuration file, by registry. */
  readonly byRegistry: ReadonlyMap<string, MirrorList>;
  /** Of the configuration file, for every other registry. */
  readonly byDefault: MirrorList | undefined;
  /** For what registries.conf names. */
  readonly shuffled: boolean;
  /** Milliseconds for which a mirror that failed is left alone. */
  readonly coolDownMs: number;
  /** Bytes per second below which a mirror is left; 0 never leaves. */
  readonly minRateBytesPerSecond: number;
  /** Milliseconds over which that rate is measured. */
  readonly minRateWindowMs: number;
  readonly registriesConf: RegistriesConfPlaces;
}

/** Where containers' `registries.conf` may be. */
export interface RegistriesConfPlaces {
  /** The first whose file is there counts, else the last. None: nothing is looked for. */
  readonly choices: readonly RegistriesConfPlace[];
  /** Somebody named the file: it has to be there. */
  readonly required: boolean;
}

/** Absolute paths. */
export interface RegistriesConfPlace {
  readonly file: string;
  /** Folders of `*.conf` that count after it, in this order. */
  readonly folders: readonly string[];
}

/** @throws LayerpullError `usage` */
export function readMirrors(flags: GivenFlags, machine: Machine): MirrorsConfig {
  const { file, ...bare } = machine;
  const given = readList(flags, bare);
  if (!given) forbidLoneCount(flags);
  return {
    given: given && { ...given, shuffled: isShuffled(flags, machine) },
    byRegistry: file ? readTables(file, flags, machine) : new Map(),
    byDefault: file && readList({}, onlyFile(machine, file), isShuffled(flags, machine)),
    shuffled: isShuffled(flags, machine),
    coolDownMs: readDuration('mirror-cool-down', flags, machine, 60_000),
    minRateBytesPerSecond: readSize('mirror-min-rate', flags, machine, 4_096),
    minRateWindowMs: readDuration('mirror-min-rate-window', flags, machine, 30_000),
    registriesConf: placesOf(flags, machine),
  };
}

/** What a flag or a variable says of the order counts for all, else the table's own, else the file's. */
function readTables(file: ConfigFile, flags: GivenFlags, machine: Machine): Map<string, MirrorList> {
  const lists = new Map<string, MirrorList>();
  const { file: _, ...bare } = machine;
  for (const registry of file.registries.keys()) {
    const table = onlyFile(machine, registryTable(file, registry));
    const order = readOrder(flags, bare) ?? readOrder({}, table) ?? readOrder({}, machine);
    const list = readList({}, table, order === 'shuffled');
    if (list) lists.set(registry, list);
  }
  return lists;
}

function onlyFile(machine: Machine, file: ConfigFile): Machine {
  return { ...machine, env: {}, file };
}

function readOrder(flags: GivenFlags, machine: Machine) {
  return readChoice('mirror-order', mirrorOrders, flags, machine);
}

function isShuffled(flags: GivenFlags, machine: Machine): boolean {
  return readOrder(flags, machine) === 'shuffled';
}

/** Undefined where nothing is said; an empty text means no mirrors. */
function readList(flags: GivenFlags, machine: Machine, shuffled = false): MirrorList | undefined {
  const given = setting('mirror', flags, machine);
  if (!given) return undefined;
  const parts = given.text.split(',').map((part) => part.trim());
  const wanted = setting('mirror-count', flags, machine);
  const count = wanted && countIn(wanted, 254, 'mirrors');
  const places = parts.filter((part) => part !== '').map((text) => parseMirror({ ...given, text }));
  return { places: places.flatMap((place) => counted(place, count, given)), shuffled };
}

const hint = 'give http://HOST:PORT, https://HOST or HOST:PORT, several separated by commas';

function parseMirror(given: Setting): MirrorPlace {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given.text) ?? [];
  const text = scheme === undefined ? `https://${given.text}` : given.text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password)
    throw usage({ ...given, text: url.host }, 'must not carry a password', 'use layerpull login HOST:PORT');
  // What stands before an @ may be a password, also one with a slash, which the parser takes for a path.
  const shown = { ...given, text: given.text.replace(/^.*@/s, '…@') };
  if (!url?.hostname) throw usage(shown, 'is not the address of a mirror', hint);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw usage(shown, 'is neither http nor https', hint);
  if (url.search || url.hash) throw usage(shown, 'must end after its host and path', hint);
  const path = url.pathname.replace(/^\/+|\/+$/g, '');
  if (path !== '' && !isRepositoryPath(path))
    throw usage(shown, 'has a path that is no repository name', hint);
  const { host } = url;
  return {
    host,
    path,
    ...(scheme === undefined ? {} : { scheme: url.protocol === 'http:' ? 'http' : 'https' }),
  };
}

/** `/v2` belongs to the protocol; whoever writes it means the host. */
function isRepositoryPath(path: string): boolean {
  return (
    /^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(path) && !/^v2(\/|$)/.test(path)
  );
}

function forbidLoneCount(flags: GivenFlags): void {
  const count = flags['mirror-count'];
  if (count === undefined) return;
  throw usage(
    { from: '--mirror-count', text: String(count) },
    'counts no mirror',
    'name the first with --mirror',
  );
}

/** The mirror and those at the addresses after it, up to .254: .255 is the broadcast address of most networks. */
function counted(place: MirrorPlace, count: number | undefined, given: Setting): MirrorPlace[] {
  if (count === undefined) return [place];
  const [, address = '', port = ''] = /^(.*?)(:\d+)?$/.exec(place.host) ?? [];
  const [, network, last] = /^(\d+\.\d+\.\d+\.)(\d+)$/.exec(address) ?? [];
  const from = { ...given, text: place.host };
  // The URL parser lets nothing else through that looks like this.
  if (network === undefined)
    throw usage(from, 'is no IPv4 address, so it cannot be counted on', 'leave out the count of mirrors');
  const first = Number(last);
  if (first > 254) throw usage(from, 'lies behind .254, where counting ends', 'give an address up to .254');
  const length = Math.min(count, 255 - first);
  return Array.from({ length }, (_, step) => ({ ...place, host: `${network}${first + step}${port}` }));
}

/** As podman and skopeo have it: with a file of the user's own, nothing of the machine's counts. */
function placesOf(flags: GivenFlags, machine: Machine): RegistriesConfPlaces {
  const named = setting('registries-conf', flags, machine);
  if (named?.text === '') return { choices: [], required: false };
  const { env, home, workingDirectory } = machine;
  const configHome = env['XDG_CONFIG_HOME'];
  const own = join(configHome?.startsWith('/') ? configHome : join(home, '.config'), 'containers');
  const all = ['/etc/containers', own].map((folder) => join(folder, 'registries.conf.d'));
  if (named)
    return { choices: [{ file: resolve(workingDirectory, named.text), folders: all }], required: true };
  const choices = [
    { file: join(own, 'registries.conf'), folders: [join(own, 'registries.conf.d')] },
    { file: '/etc/containers/registries.conf', folders: all },
  ];
  return { choices, required: false };
}
