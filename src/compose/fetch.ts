import { availableParallelism } from 'node:os';
import type { PullConfig } from '../config/pull.ts';
import { systemClock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import type { LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type LockSession, openLockSession } from '../lock/session.ts';
import type { DocumentParts } from '../orchestrator/documents.ts';
import type { PullEvent, PullResult } from '../orchestrator/events.ts';
import type { PeerReading } from '../orchestrator/peers.ts';
import { planPull } from '../orchestrator/plan.ts';
import { pullImage } from '../orchestrator/pull.ts';
import type { PullRequest } from '../orchestrator/summary.ts';
import type { ImageRegistry } from '../registry/image-registry.ts';
import { createTransferBounds } from '../source/transfer.ts';
import { openStore, type Store } from '../store/oci-layout.ts';
import { peekStore } from '../store/peek.ts';
import { type OpenSink, openInlineSink } from '../store/sink.ts';
import type { Closers } from './closers.ts';
import { type Coordination, coordination } from './locks.ts';
import type { composeOutput } from './output.ts';
import type { PeerParts } from './peer-parts.ts';
import { type Share, type SharingSession, startShare } from './share.ts';

const clock = systemClock;

export interface FetchDeps {
  readonly registry: ImageRegistry;
  /** Gets what is opened here. */
  readonly closers: Closers;
  readonly log: Log;
  readonly onEvent: (event: PullEvent) => void;
  /** Other nodes. Default: the pull knows of none. */
  readonly peers: () => Promise<PeerParts | undefined>;
}

/** The part of a pull that changes the store: the store, and the locks of a server or of the processes on it. */
export interface Fetcher {
  /** What takes manifests like layers. */
  readonly documents: DocumentParts;
  /** @throws LayerpullError; `signal.reason` */
  fetch(request: PullRequest, signal: AbortSignal): Promise<PullResult>;
  /** Stays for those who read from here, with what `onStay` says when there is somebody. Never throws. */
  linger(signal: AbortSignal, onStay: () => void): Promise<void>;
}

/** In the bundle, where this code lies in a folder beside that of the store. */
const sinkWorker = new URL('../store/sink-worker.js', import.meta.url);
/** For less, starting a thread takes longer than it saves: 60 ms on two cores that are busy anyway. */
const worthAThreadBytes = 256 * 1_048_576;

function isWorthAThread({ image }: PullRequest): boolean {
  return availableParallelism() > 1 && planPull(image).totalBytes >= worthAThreadBytes;
}

/** Loaded only for what is worth it. */
async function openThread(): Promise<OpenSink> {
  const { createThreadSinks } = await import('../store/sink-thread.ts');
  return createThreadSinks(sinkWorker);
}

/** Loaded only by those who ask for it. */
async function openOutput(...args: Parameters<typeof composeOutput>) {
  const output = await import('./output.ts');
  return await output.composeOutput(...args);
}

/** Opens the store, and wires what brings blobs into it. */
export async function openFetcher(config: PullConfig, deps: FetchDeps): Promise<Fetcher> {
  const { log, onEvent, registry } = deps;
  const { node, concurrency } = config;
  let openSink = openInlineSink;
  const sink: OpenSink = (...args) => openSink(...args);
  const store = await openStore({ path: config.store, clock, log, openSink: sink });
  const { session, reading, share, sharing } = await connect(config, store, deps);
  const onStored = share && ((digest: Digest) => sharing?.announce({ add: [digest], remove: [] }));
  const read = async (digest: Digest) => await (await peekStore(store.blobs.path))?.read(digest);
  return {
    documents: { store: store.blobs, locks: session, read, clock, peers: reading, onStored },
    async fetch(request, signal) {
      const { reference } = request.image;
      if (isWorthAThread(request)) openSink = await openThread();
      const output = config.output && (await openOutput(config.output, { ...store, reference, clock }));
      const transfer = createTransferBounds(clock, config.registry.transfer);
      const parts = { registry, store, locks: session, clock, node, concurrency, transfer, onEvent, output };
      return await pullImage(request, { ...parts, peers: reading, onStored }, signal);
    },
    async linger(signal, onStay) {
      if (share && sharing) await share.linger(sharing, signal, onStay);
    },
  };
}

interface Connected {
  readonly session: LockSession;
  readonly reading?: PeerReading | undefined;
  readonly share?: Share | undefined;
  readonly sharing?: SharingSession | undefined;
}

/** The session is closed before what it names is: nobody is sent to a server that is gone. */
async function connect(config: PullConfig, store: Store, deps: FetchDeps): Promise<Connected> {
  const { closers, log, onEvent } = deps;
  const service = closers.add(await coordination(config, store.blobs.path, log));
  const peers = service.by === 'store' ? undefined : await deps.peers();
  // An agent serves what its store has.
  const share = peers && service.by === 'server' ? await openShare(config, store, peers, onEvent) : undefined;
  if (share) closers.add(share);
  const session = closers.add(openSession(config, store, { service, log, onEvent }, share?.url));
  return { session, reading: peers?.reading, share, sharing: peers?.sharing(session) };
}

async function openShare(
  config: PullConfig,
  store: Store,
  { serve }: PeerParts,
  onEvent: FetchDeps['onEvent'],
): Promise<Share | undefined> {
  const { share, servers } = config;
  if (!share) return undefined;
  const onWarning = (warning: LayerpullError) => onEvent(toEvent(warning));
  return await startShare({ config: share, servers, store, serve, clock, onWarning });
}

function openSession(
  config: PullConfig,
  store: Store,
  { service, log, onEvent }: Pick<FetchDeps, 'log' | 'onEvent'> & { readonly service: Coordination },
  url: string | undefined,
): LockSession {
  const { node, zone, onLockFailure, bounds } = config;
  return openLockSession({
    locks: service.locks,
    serverName: service.serverName,
    nodeId: node,
    storeId: store.blobs.storeId,
    ...(url === undefined ? {} : { url }),
    ...(zone === undefined ? {} : { zone }),
    clock,
    log,
    onLockFailure,
    bounds,
    onWarning: (warning) => {
      // A pull that may not go on alone ends with this very error.
      if (onLockFailure === 'fail') return;
      const what = warning.code === 'holder_slow' ? 'downloading it too' : 'going on without coordination';
      onEvent({ ...toEvent(warning), message: `${warning.message}; ${what}` });
    },
  });
}

function toEvent({ code, message, hint }: LayerpullError): PullEvent & { kind: 'warning' } {
  return { kind: 'warning', code, message, hint };
}
