import {
  type GivenFlags,
  type Machine,
  readDurationOrZero,
  readSwitch,
  type Setting,
  setting,
  usage,
} from './values.ts';

/** How a pull serves other nodes while it runs. */
export interface ShareConfig {
  readonly address: PeerAddress;
  /** Milliseconds without a byte for which a pull that is done stays for those who read from it; 0: it ends at once. */
  readonly lingerMs: number;
}

export interface PeerAddress {
  /** Undefined: the local address from which the lock server is reached. */
  readonly host: string | undefined;
  /** 0 picks a free one. */
  readonly port: number;
}

/** Undefined: nothing is served. Default: where there is a lock server. @throws LayerpullError `usage` */
export function readShare(
  flags: GivenFlags,
  machine: Machine,
  servers: readonly URL[],
): ShareConfig | undefined {
  const isWanted = setting('share', flags, machine) === undefined || readSwitch('share', flags, machine);
  const address = readPeerAddress(flags, machine);
  const lingerMs = readDurationOrZero('linger', flags, machine, 10_000);
  return isWanted && servers.length > 0 ? { address, lingerMs } : undefined;
}

/** What nodes that are close to each other call their place. @throws LayerpullError `usage` */
export function readZone(flags: GivenFlags, machine: Machine): string | undefined {
  const given = setting('zone', flags, machine);
  if (!given) return undefined;
  if (/^[\x21-\x7e]{1,253}$/.test(given.text)) return given.text;
  throw usage(given, 'is not the name of a zone', 'use 1 to 253 visible ASCII characters without blanks');
}

function readPeerAddress(flags: GivenFlags, machine: Machine): PeerAddress {
  const given = setting('peer-addr', flags, machine);
  if (!given) return { host: undefined, port: 0 };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]*)):(\d{1,5})$/.exec(given.text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw wrongAddress(given);
  const host = match[1] ?? (match[2] || undefined);
  if (host === '0.0.0.0' || host === '::') throw notReachable(given);
  return { host, port };
}

function wrongAddress(given: Setting) {
  return usage(given, 'is not HOST:PORT', 'such as 10.0.0.12:7041, [fd00::12]:7041, or :7041');
}

function notReachable(given: Setting) {
  const hint = 'name the address at which other nodes reach this one, or leave the host out, as in :7041';
  return usage(given, 'is no address that others can reach', hint);
}
