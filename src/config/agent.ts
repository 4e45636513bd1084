import { type CoordinationConfig, readCoordination } from '../config.ts';
import { LayerpullError } from '../core/errors.ts';
import type { NodeId } from '../core/ids.ts';
import { type ListenAddress, readAddress } from './address.ts';
import { forbidIdleFlags } from './agent-idle-flags.ts';
import { type CoordinationBounds, readBounds } from './bounds.ts';
import { type PeerBounds, readPeerBounds } from './peers.ts';
import { readNode } from './pull.ts';
import { type RegistryConfig, readRegistryConfig } from './registry.ts';
import { readZone } from './share.ts';
import {
  type GivenFlags,
  type Machine,
  readDuration,
  readDurationOrZero,
  readSwitch,
  setting,
  usage,
} from './values.ts';

export interface AgentConfig extends CoordinationConfig {
  readonly node: NodeId;
  /** Where the node stands: nodes of one zone read from each other first. */
  readonly zone: string | undefined;
  /** Where other nodes read layers from this one. Undefined: it serves none. */
  readonly peer: PeerAddress | undefined;
  /** The registry mirror. Undefined: there is none. */
  readonly mirror: MirrorConfig | undefined;
  readonly bounds: CoordinationBounds;
  readonly peers: PeerBounds;
  /** Milliseconds that readers get to finish when the agent is told to end; 0: it ends at once. */
  readonly drainMs: number;
}

export interface PeerAddress extends ListenAddress {
  /** By which URL others reach it. Undefined: found out when it listens. */
  readonly url: string | undefined;
}

/** A registry on this node, for programs that know nothing of a fleet. */
export interface MirrorConfig {
  readonly address: ListenAddress;
  readonly registry: RegistryConfig;
  /** Show the agent's credentials to registries for callers that show none. */
  readonly asAgent: boolean;
  /** Milliseconds for which an access that was proved counts while a registry is out of reach. */
  readonly offlineTtlMs: number;
}

/** An agent without a lock server is known to nobody, and serves only where it is told to. */
const peerStandard = '0.0.0.0:7041';

/** @throws LayerpullError `usage` */
export function readAgentConfig(flags: GivenFlags, machine: Machine): AgentConfig {
  const coordination = readCoordination(flags, machine);
  const isKnown = coordination.servers.length > 0;
  forbidIdleFlags(flags, machine, isKnown);
  const address = readAddress('peer-addr', flags, machine, isKnown ? peerStandard : undefined);
  const url = readPeerUrl(flags, machine);
  return {
    ...coordination,
    node: readNode(flags, machine),
    zone: readZone(flags, machine),
    peer: address && { ...address, url },
    mirror: readMirror(flags, machine),
    bounds: readBounds(flags, machine),
    peers: readPeerBounds(flags, machine),
    drainMs: readDurationOrZero('drain-timeout', flags, machine, 20_000),
  };
}

/**
 * By which URL the programs of this node reach its mirror.
 *
 * @throws LayerpullError `usage` where there is none, or only one whose port is not known before it runs
 */
export function mirrorUrlOf({ mirror, trust }: Pick<AgentConfig, 'mirror' | 'trust'>): string {
  const hint = 'such as --registry-addr 127.0.0.1:5001';
  if (!mirror) throw new LayerpullError('usage', '--print-config needs --registry-addr', { hint });
  const { host, port } = mirror.address;
  if (port === 0) {
    throw new LayerpullError('usage', '--print-config needs the port of --registry-addr, not 0', { hint });
  }
  return `${trust?.pair ? 'https' : 'http'}://${hostInUrl(host)}:${port}`;
}

/** Who listens everywhere is there on this machine, too. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function readMirror(flags: GivenFlags, machine: Machine): MirrorConfig | undefined {
  const asAgent = readSwitch('mirror-as-agent', flags, machine);
  const offlineTtlMs = readDuration('offline-ttl', flags, machine, 3_600_000);
  const address = readAddress('registry-addr', flags, machine, undefined);
  return address && { address, registry: readRegistryConfig(flags, machine), asAgent, offlineTtlMs };
}

/** The base of the peer server, without the slash at its end. */
function readPeerUrl(flags: GivenFlags, machine: Machine): string | undefined {
  const given = setting('peer-url', flags, machine);
  if (!given) return undefined;
  const hint = 'give http://HOST:PORT or https://HOST:PORT, as other nodes reach this one';
  const url = URL.canParse(given.text) ? new URL(given.text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw usage(given, 'is not the address of a node', hint);
  if (url.username || url.password)
    throw usage({ ...given, text: url.host }, 'must not carry a password', hint);
  if (url.search || url.hash) throw usage(given, 'must end after its host and path', hint);
  return url.href.replace(/\/+$/, '');
}
