import { type CoordinationConfig, readCoordination } from '../config.ts';
import type { NodeId } from '../core/ids.ts';
import { type ListenAddress, readAddress } from './address.ts';
import { type CoordinationBounds, readBounds } from './bounds.ts';
import { type PeerBounds, readPeerBounds } from './peers.ts';
import { readNode } from './pull.ts';
import { readZone } from './share.ts';
import { type GivenFlags, type Machine, readDurationOrZero, setting, usage } from './values.ts';

/** What the daemons of a node have in common. */
export interface DaemonConfig extends CoordinationConfig {
  readonly node: NodeId;
  /** Where the node stands: nodes of one zone read from each other first. */
  readonly zone: string | undefined;
  /** Where other nodes read layers from this one. Undefined: it serves none. */
  readonly peer: PeerAddress | undefined;
  readonly bounds: CoordinationBounds;
  readonly peers: PeerBounds;
  /** Milliseconds that readers get to finish when the daemon is told to end; 0: it ends at once. */
  readonly drainMs: number;
}

export interface PeerAddress extends ListenAddress {
  /** By which URL others reach it. Undefined: found out when it listens. */
  readonly url: string | undefined;
}

/** A daemon without a lock server is known to nobody, and serves only where it is told to. */
const peerStandard = '0.0.0.0:7041';

/** @throws LayerpullError `usage` */
export function readDaemonConfig(flags: GivenFlags, machine: Machine): DaemonConfig {
  const coordination = readCoordination(flags, machine);
  const isKnown = coordination.servers.length > 0;
  const address = readAddress('peer-addr', flags, machine, isKnown ? peerStandard : undefined);
  const url = readPeerUrl(flags, machine);
  return {
    ...coordination,
    node: readNode(flags, machine),
    zone: readZone(flags, machine),
    peer: address && { ...address, url },
    bounds: readBounds(flags, machine),
    peers: readPeerBounds(flags, machine),
    drainMs: readDurationOrZero('drain-timeout', flags, machine, 20_000),
  };
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
