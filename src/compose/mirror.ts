import { randomUUID } from 'node:crypto';
import type { RegistryConfig } from '../config/registry.ts';
import { systemClock } from '../core/clock.ts';
import type { NodeId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { SessionLocks } from '../lock/locks.ts';
import { pullLayer } from '../orchestrator/layer.ts';
import type { PeerReading } from '../orchestrator/peers.ts';
import { createSlots } from '../orchestrator/pool.ts';
import type { MirrorDoor } from '../peer/mirror-door.ts';
import type { AskOthers, MirrorContent } from '../peer/mirror-port.ts';
import type { MirrorServer } from '../peer/mirror-server.ts';
import { createReaders } from '../registry/readers.ts';
import { createTransferBounds } from '../source/transfer.ts';
import type { Store } from '../store/oci-layout.ts';
import { readDocument } from '../store/peek.ts';
import { createStoredProofs } from '../store/proof-files.ts';
import { Closers } from './closers.ts';
import { composeCredentials } from './credentials.ts';
import type { BringBlob } from './mirror-flights.ts';
import { createMirrorLayers, type FollowedBlobs } from './mirror-layers.ts';
import { composeMirrors } from './mirrors.ts';

const clock = systemClock;

/** What `--registry-addr` and the flags beside it say. */
export interface MirrorConfig {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly registry: RegistryConfig;
  readonly node: NodeId;
  /** Layers downloaded at once. */
  readonly concurrency: number;
  /** Show the agent's credentials to registries for callers that show none. */
  readonly asAgent: boolean;
  /** Milliseconds. */
  readonly offlineTtlMs?: number;
  /** The only registries that are mirrored. Undefined: any. */
  readonly registries?: readonly string[] | undefined;
}

export interface MirrorDeps {
  readonly log: Log;
  readonly store: Store;
  /** The session through which layers are brought. */
  readonly locks: SessionLocks;
  /** Reads blobs while they are written. Default: those of the store. */
  readonly follow?: FollowedBlobs | undefined;
  /** Default: plain http, and everyone is served. */
  readonly door?: MirrorDoor | undefined;
  /** Reads from other nodes, afresh for each layer. Default: all is read from the registry. */
  readonly peers?: (() => PeerReading) | undefined;
  /** Default: nobody else is asked while a registry is out of reach. */
  readonly askOthers?: AskOthers | undefined;
}

/** Clients of a mirror that are in the middle of a pull. */
export type MirrorClients = Pick<MirrorServer, 'drain' | 'isBusy' | 'answers'>;

export interface RunningMirror {
  readonly url: string;
  /** What the peer server of the node tells others that ask. */
  readonly recorded: MirrorContent['recorded'];
  readonly clients: MirrorClients;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Wires the registry mirror of a node, and listens. @throws LayerpullError `address_in_use`, `usage` */
export async function composeMirror(config: MirrorConfig, deps: MirrorDeps): Promise<RunningMirror> {
  const { createMirrorContent } = await import('../peer/mirror-content.ts');
  const { createMirrorServer } = await import('../peer/mirror-server.ts');
  const { log, store, follow = store.growing, door, askOthers } = deps;
  const { blobs } = store;
  const closers = new Closers();
  const ownName = `layerpull-mirror/${randomUUID()}`;
  try {
    const readers = closers.add(composeReaders(config, ownName));
    const layers = closers.add(createMirrorLayers({ blobs, clock, follow, bring: bringWith(config, deps) }));
    const content = createMirrorContent({
      readers,
      store: {
        ...layers,
        document: (digest) => readDocument({ root: blobs.path }, digest),
        keep: store.putDocument,
      },
      proofFiles: createStoredProofs(blobs.path),
      ...{ clock, log, askOthers, registries: config.registries },
      ...(config.offlineTtlMs === undefined ? {} : { offlineTtlMs: config.offlineTtlMs }),
      agent: config.asAgent ? composeCredentials(config.registry.access, log, '') : undefined,
    });
    const { host, port } = config;
    const server = closers.add(createMirrorServer({ content, clock, log, door, ownName }));
    const { url } = await server.listen({ host, port });
    return { url, recorded: content.recorded, clients: server, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Who the agent is, by password or by certificate, is shown to nobody unless somebody said so. */
function composeReaders({ registry, asAgent }: MirrorConfig, ownName: string) {
  const { version, plainHttp, tls, proxies, transfer, mirrors } = registry;
  return createReaders({
    userAgent: `layerpull/${version} ${ownName}`,
    plainHttp,
    tls: { ...tls, anonymous: !asAgent },
    proxies,
    clock,
    stallMs: transfer.stallTimeoutMs,
    requestsPerSecond: transfer.requestsPerSecond,
    mirrors: composeMirrors(mirrors),
  });
}

/** Layers come as those of pulls do; a reference keeps them from being removed meanwhile. */
function bringWith(
  { node, concurrency, registry }: MirrorConfig,
  { store, locks, log, peers }: MirrorDeps,
): BringBlob {
  const slots = createSlots(concurrency);
  const transfer = createTransferBounds(clock, registry.transfer);
  return async (name, descriptor, source, signal) => {
    const { digest } = descriptor;
    const claim = await store.references.claim({ name, node, digests: [digest] });
    try {
      const onEvent = () => {};
      const parts = { store, locks, slots, clock, transfer, source, signal, onEvent, peers: peers?.() };
      const { outcome, bytes } = await pullLayer(descriptor, parts);
      log.debug({ name, digest, outcome, bytes }, 'brought for a client of the mirror');
    } finally {
      await claim.release();
    }
  };
}
