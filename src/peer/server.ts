import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import { openServing, type Serving } from '../http/serving.ts';
import type { GrowingBlobs } from '../store/growing-blobs.ts';
import { createPeerApp } from './app.ts';
import type { MirrorContent } from './mirror-port.ts';
import { defaultTransferLimits, type TransferLimits, Transfers } from './transfers.ts';

export interface PeerServerOptions extends Partial<TransferLimits> {
  /** What it serves. */
  readonly blobs: GrowingBlobs;
  readonly clock: Clock;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** What references meant when everyone could read them, for nodes that cannot ask the registry. Default: not known. */
  readonly recorded?: MirrorContent['recorded'] | undefined;
  /** Default: everybody is served, in clear. */
  readonly serving?: Serving;
  /** Connections at once; more are closed at once. Default 1,024. */
  readonly maxConnections?: number;
}

export interface PeerServer {
  /**
   * Port 0 picks a free one. Answers the port, and a url for this machine where the host is one.
   * @throws LayerpullError `address_in_use`, `usage`
   */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ url: string; port: number }>;
  /** Blobs on their way to readers now. */
  readers(): number;
  /** Those of them to whom bytes were handed on in the last `ms` milliseconds. */
  movingReaders(ms: number): number;
  /** When a reader got a byte last, on the clock; before the first one minus infinity. */
  lastSentMs(): number;
  /** Bytes that readers got of each digest; of the last 10,000 digests. */
  served(): ReadonlyMap<Digest, number>;
  /** Takes no more readers, gives those under way `waitMs` milliseconds (default 0), then cuts them. Idempotent. */
  close(options?: { readonly waitMs?: number }): Promise<void>;
}

/** A read-only OCI distribution API over a store, also for blobs that are still being written into it. */
export function createPeerServer(options: PeerServerOptions): PeerServer {
  const {
    blobs,
    clock,
    log = silentLog,
    serving = openServing,
    recorded,
    maxConnections = 1_024,
    ...limits
  } = options;
  const transfers = new Transfers(clock, { ...defaultTransferLimits, ...limits });
  let closed: Promise<void> | undefined;
  const isClosing = () => closed !== undefined;
  const app = createPeerApp({ blobs, transfers, log, serving, recorded, maxConnections, isClosing });
  return {
    listen: ({ host, port }) => listen(app, { host, port, scheme: serving.scheme }),
    readers: () => transfers.count,
    lastSentMs: () => transfers.lastSentMs,
    movingReaders: (ms) => transfers.moving(ms),
    served: () => transfers.served,
    close: ({ waitMs = 0 } = {}) => {
      closed ??= close(app, transfers, clock, waitMs);
      return closed;
    },
  };
}

interface Address {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}

async function listen(app: FastifyInstance, address: Address): Promise<{ url: string; port: number }> {
  const { scheme, host } = address;
  try {
    await app.listen({ host, port: address.port });
  } catch (error) {
    throw listenError(address, error);
  }
  const { port } = app.server.address() as AddressInfo;
  return { url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`, port };
}

function listenError({ host, port }: Address, cause: unknown): LayerpullError {
  const inUse = systemCodeOf(cause) === 'EADDRINUSE';
  const problem = inUse ? 'the address is in use' : messageOf(cause);
  return new LayerpullError(
    inUse ? 'address_in_use' : 'usage',
    `cannot serve other nodes on ${host}:${port}: ${problem}`,
    { hint: 'choose another address with --peer-addr', cause },
  );
}

async function close(
  app: FastifyInstance,
  transfers: Transfers,
  clock: Clock,
  waitMs: number,
): Promise<void> {
  const closing = app.close();
  const over = new AbortController();
  if (waitMs > 0) await Promise.race([transfers.idle(), clock.sleep(waitMs, over.signal).catch(() => {})]);
  over.abort();
  transfers.cut();
  app.server.closeAllConnections();
  await closing;
}
