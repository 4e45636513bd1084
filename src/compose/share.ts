import type { PeerAddress, ShareConfig } from '../config/share.ts';
import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { LayerpullError, messageOf } from '../core/errors.ts';
import { localAddressTowardsAny } from '../http/local-address.ts';
import type { Announcement } from '../lock/locks.ts';
import type { Store } from '../store/oci-layout.ts';
import { type Door, linger, type Readers } from './linger.ts';

/** The server of this node's layers, once it listens. */
export interface ServedLayers extends Readers {
  readonly scheme: 'http' | 'https';
  readonly port: number;
  close(): Promise<void>;
}

/** @param address where to listen; without a host on all interfaces */
export type ServeLayers = (store: Store, address: PeerAddress) => Promise<ServedLayers>;

/** What sharing needs of a session at the lock server. */
export interface SharingSession extends Door {
  /** Tells that others may have these from here. */
  announce(announcement: Announcement): void;
}

/** A node that serves its layers while it pulls. */
export interface Share {
  /** Base of what it serves, as others reach it. */
  readonly url: string;
  /** Stays for those who still read; see `linger`. Never throws. */
  linger(session: SharingSession, signal: AbortSignal, onStay?: () => void): Promise<void>;
  close(): Promise<void>;
}

export interface ShareOptions {
  readonly config: ShareConfig;
  /** Lock servers: one that can be routed to says at which address this node is reached. */
  readonly servers: readonly URL[];
  readonly store: Store;
  readonly serve: ServeLayers;
  readonly clock: Clock;
  readonly onWarning: (warning: LayerpullError) => void;
}

/** Names are looked up in this time or not at all. */
const addressWithinMs = 3_000;

/** Begins to serve. Undefined, with a warning, where that is not possible: the pull goes on without. */
export async function startShare(options: ShareOptions): Promise<Share | undefined> {
  try {
    return await start(options);
  } catch (error) {
    options.onWarning(cannotShare(error));
    return undefined;
  }
}

async function start({ config, servers, store, serve, clock }: ShareOptions): Promise<Share> {
  const { host, port } = config.address;
  const local = host ?? (await findLocalAddress(servers, clock));
  // An explicit port without a host is served on all interfaces; the rest only where the lock server is.
  const listenOn = host === undefined && port !== 0 ? undefined : local;
  const served = await serve(store, { host: listenOn, port });
  return {
    url: `${served.scheme}://${local.includes(':') ? `[${local}]` : local}:${served.port}`,
    linger: async (session, signal, onStay) =>
      await linger({ served, session, clock, lingerMs: config.lingerMs, onStay, signal }),
    close: () => served.close(),
  };
}

async function findLocalAddress(servers: readonly URL[], clock: Clock): Promise<string> {
  const late = () => new Error(`no address was found within ${addressWithinMs / 1_000} s`);
  return await withDeadline(clock, addressWithinMs, undefined, late, async () => {
    const address = await localAddressTowardsAny(servers);
    if (address !== undefined) return address;
    throw new Error('no lock server can be routed to');
  });
}

function cannotShare(cause: unknown): LayerpullError {
  return new LayerpullError('share_failed', `other nodes cannot read from this one: ${messageOf(cause)}`, {
    hint: 'give --peer-addr an address at which others reach this node, or use --no-share',
    cause,
  });
}
