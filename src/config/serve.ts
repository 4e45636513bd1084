import { LayerpullError } from '../core/errors.ts';
import { type ListenAddress, readAddress } from './address.ts';
import { type EtcdConfig, readEtcd } from './etcd.ts';
import { readServingTrust, type TrustConfig } from './trust.ts';
import {
  countIn,
  type GivenFlags,
  type Machine,
  readDirectory,
  readDuration,
  readSwitch,
  setting,
  usage,
} from './values.ts';

export interface ServeConfig extends ListenAddress {
  readonly version: string;
  /** Absolute path of what the server keeps; undefined keeps it in etcd, or in memory. */
  readonly data: string | undefined;
  /** Undefined: this server is the only one. */
  readonly backend?: EtcdConfig | undefined;
  readonly bounds: ServeBounds;
  /** Who may ask; undefined: everyone. */
  readonly trust?: TrustConfig | undefined;
}

/** What the lock service allows; times in milliseconds. */
export interface ServeBounds {
  /** False: a taken lock refuses instead of queueing. */
  readonly queueing: boolean;
  /** Without a heartbeat for this long a session is lost. The other times of sessions follow from it. */
  readonly ttlMs: number;
  /** A holder that brings nothing on for this long gives way. */
  readonly stallMs: number;
  /** After a client without a session closed its last connection. */
  readonly nodeGraceMs: number;
  /** Longest lock without a session, unless its node asks about it. */
  readonly leaseMs: number;
  /** Nodes that read one layer from one node, as long as there is another. */
  readonly fanOut: number;
}

/** @throws LayerpullError `usage` */
export function readServeConfig(flags: GivenFlags, machine: Machine): ServeConfig {
  const backend = readEtcd(flags, machine);
  return {
    version: machine.version,
    ...readAddress('addr', flags, machine, '127.0.0.1:8080'),
    data: backend ? undefined : readData(flags, machine),
    backend,
    bounds: readBounds(flags, machine),
    trust: readServingTrust(flags, machine),
  };
}

/** Heartbeats come every third of the TTL, and a grant waits two thirds of it to be claimed. */
function readBounds(flags: GivenFlags, machine: Machine): ServeBounds {
  const atLeast = (name: string, defaultMs: number, leastMs: number, ttlMs?: number) => {
    const ms = readDuration(name, flags, machine, defaultMs);
    if (ms > leastMs) return ms;
    const given = setting(name, flags, machine) ?? { text: `${defaultMs}ms`, from: `--${name}` };
    const why = ttlMs === undefined ? '' : ` for a session TTL of ${ttlMs} ms`;
    throw usage(given, `is too short${why}`, `give more than ${leastMs}ms`);
  };
  const ttlMs = atLeast('session-ttl', 15_000, 999);
  return {
    queueing: !readSwitch('no-queue', flags, machine) && !forbidsQueue(machine),
    ttlMs,
    // Progress comes with heartbeats.
    stallMs: atLeast('stall-timeout', 20_000, Math.floor(ttlMs / 3), ttlMs),
    nodeGraceMs: readDuration('sessionless-grace', flags, machine, 30_000),
    leaseMs: atLeast('sessionless-lease', 600_000, Math.floor((ttlMs * 2) / 3), ttlMs),
    fanOut: readFanOut(flags, machine),
  };
}

/** Default 2: a node that sends a layer twice needs twice the link that it receives it by. */
function readFanOut(flags: GivenFlags, machine: Machine): number {
  const given = setting('fan-out', flags, machine);
  return given ? countIn(given, 64, 'nodes') : 2;
}

/** The older name says it the other way round. */
function forbidsQueue({ env }: Machine): boolean {
  return (
    env['LAYERPULL_NO_QUEUE'] === undefined && env['ALLOW_MULTI_NODE_DOWNLOAD']?.toLowerCase() === 'false'
  );
}

/** Default: `$XDG_DATA_HOME/layerpull/locks`, and `/var/lib/layerpull/locks` for root. */
function readData(flags: GivenFlags, machine: Machine): string | undefined {
  if (flags['data'] !== undefined && flags['ephemeral']) {
    throw new LayerpullError('usage', '--data and --ephemeral exclude each other', {
      hint: 'leave one of them out',
    });
  }
  const isEphemeral = flags['data'] === undefined && readSwitch('ephemeral', flags, machine);
  return isEphemeral ? undefined : readDirectory('data', 'locks', flags, machine);
}
