import { stat } from 'node:fs/promises';
import v8 from 'node:v8';
import type { CoordinationConfig, PullConfig, StatusConfig } from './config.ts';
import type { ServeBounds, ServeConfig } from './config-serve.ts';
import { deferred } from './core/abort.ts';
import { systemClock } from './core/clock.ts';
import { isLayerpullError } from './core/errors.ts';
import { toToken } from './core/ids.ts';
import type { Log } from './core/log.ts';
import type { LockService } from './lock/backends/engine/engine.ts';
import { createHttpLocks } from './lock/backends/http/http-locks.ts';
import { createEmbeddedLocks } from './lock/embedded.ts';
import {
  type EmbeddedServer,
  type EmbeddedServerOptions,
  findCoordinator,
} from './lock/embedded-election.ts';
import type { Locks } from './lock/locks.ts';
import type { Metrics } from './lock/server/metrics.ts';
import { openLockSession } from './lock/session.ts';
import type { PullEvent, PullResult } from './orchestrator/events.ts';
import { pullImage } from './orchestrator/pull.ts';
import { createRegistry } from './registry/client.ts';
import { formatReference, parseReference } from './registry/reference.ts';
import { openStore } from './store/oci-layout.ts';

export type { ResourceView } from './lock/locks.ts';
export type { NodeView } from './lock/nodes.ts';
export type { PullEvent, PullResult } from './orchestrator/events.ts';

const clock = systemClock;

export interface Pull {
  /** @throws LayerpullError; `signal.reason` when aborted, after the locks were released. */
  run(reference: string, signal: AbortSignal): Promise<PullResult>;
  /** Ends connections and background work. Idempotent. */
  close(): Promise<void>;
}

export interface PullDeps {
  readonly log: Log;
  readonly onEvent: (event: PullEvent) => void;
}

/** Wires a pull: registry, store, and the locks of a server or of the processes on the store. */
export async function composePull(config: PullConfig, { log, onEvent }: PullDeps): Promise<Pull> {
  const { node, platform, concurrency, plainHttp, onLockFailure, bounds } = config;
  const closers = new Closers();
  const run = async (text: string, signal: AbortSignal) => {
    const reference = parseReference(text);
    const store = await openStore({ path: config.store, clock, log });
    const registry = closers.add(createRegistry({ userAgent: userAgent(config), plainHttp, clock, log }));
    const service = closers.add(coordination(config, store.blobs.path, log));
    const locks = closers.add(
      openLockSession({
        locks: service,
        nodeId: node,
        storeId: store.blobs.storeId,
        clock,
        log,
        onLockFailure,
        bounds,
        onWarning: ({ code, message, hint }) => {
          // A pull that may not go on alone ends with this very error.
          if (onLockFailure === 'fail') return;
          const what = code === 'holder_slow' ? 'downloading it too' : 'going on without coordination';
          onEvent({ kind: 'warning', code, message: `${message}; ${what}`, hint });
        },
      }),
    );
    const parts = { registry, store, locks, clock, node, concurrency, onEvent };
    return await pullImage({ reference, name: formatReference(reference), platform }, parts, signal);
  };
  return { run, close: () => closers.close() };
}

export interface RunningServer {
  readonly url: string;
  /** Rejects when the server cannot go on; never resolves. */
  readonly failed: Promise<never>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Wires a lock server and listens. @throws LayerpullError `address_in_use`, `usage`, `data_*` */
export async function composeServe(
  config: ServeConfig,
  { log }: { readonly log: Log },
): Promise<RunningServer> {
  keepHeapSmall();
  const { createLockServer } = await import('./lock/server/server.ts');
  const { createMetrics } = await import('./lock/server/metrics.ts');
  const metrics = createMetrics(config.version);
  const closers = new Closers();
  const failure = deferred<never>();
  failure.promise.catch(() => {});
  try {
    const locks = closers.add(await openLocks(config, { log, metrics, onFailure: failure.reject }));
    metrics.countWith(() => locks.counts());
    const server = closers.add(
      createLockServer({ locks, log, clock, metrics, onNodeGone: (nodeId) => locks.nodeGone(nodeId) }),
    );
    const { url } = await server.listen({ host: config.host, port: config.port });
    return { url, failed: failure.promise, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Thousands of streams are mostly memory that stays: room beside it for what does not is dear, and gains little. */
function keepHeapSmall(): void {
  v8.setFlagsFromString('--semi-space-growth-factor=1');
  v8.setFlagsFromString('--heap-growing-percent=20');
}

interface ServiceParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly onFailure: (error: unknown) => void;
}

async function openLocks(
  { data, bounds }: ServeConfig,
  { log, metrics, onFailure }: ServiceParts,
): Promise<LockService> {
  const options = { clock, log, observe: metrics.observe, ...machineBounds(bounds) };
  if (data !== undefined) {
    const { createDurableLocks } = await import('./lock/backends/durable/durable-locks.ts');
    return await createDurableLocks({ ...options, directory: data, onFailure, onCommit: metrics.committed });
  }
  const { createMemoryLocks } = await import('./lock/backends/memory.ts');
  // Wall time, so that tokens go on upwards after a restart that left nothing behind.
  return createMemoryLocks({ ...options, firstToken: toToken(clock.wallNow() * 1_024) });
}

/** The times of a session keep their proportions: two heartbeats may get lost, and a grant outlasts one. */
function machineBounds({ ttlMs, stallMs, ...bounds }: ServeBounds) {
  const third = Math.max(1, Math.floor(ttlMs / 3));
  return { ...bounds, ttlMs, stallMs, heartbeatMs: third, graceMs: third, claimMs: third * 2 };
}

/** Wires the way to whoever coordinates; `locks` is undefined when nobody does. */
export async function composeStatus(
  config: StatusConfig,
): Promise<{ readonly locks: Locks | undefined; close(): Promise<void> }> {
  if (config.servers.length > 0) {
    const locks = createHttpLocks({ servers: config.servers, version: config.version, clock });
    return { locks, close: () => locks.close() };
  }
  const found = await findCoordinatorOf(config);
  return { locks: found?.locks, close: async () => await found?.close() };
}

function coordination(config: CoordinationConfig, store: string, log: Log): Locks {
  const { servers, version } = config;
  if (servers.length > 0) return createHttpLocks({ servers, version, clock });
  return createEmbeddedLocks({
    store,
    clock,
    log,
    serve: (options) => serveEmbedded(options, asideOf(log)),
    connect: (socketPath, signal) => connectEmbedded(socketPath, version, signal),
  });
}

/** Loaded only by the process that becomes the coordinator. */
async function serveEmbedded(options: EmbeddedServerOptions, log: Log): Promise<EmbeddedServer> {
  const { createMemoryLocks } = await import('./lock/backends/memory.ts');
  const { createLockServer } = await import('./lock/server/server.ts');
  const { firstToken, recoveryMs, socketPath } = options;
  const closers = new Closers();
  const locks = closers.add(createMemoryLocks({ clock, log, firstToken, recoveryMs }));
  const server = closers.add(createLockServer({ locks, log, clock }));
  await server.listen({ socketPath });
  return {
    locks,
    hasOtherSessions: () => locks.sessionCount() > 1,
    close: () => closers.close(),
  };
}

async function connectEmbedded(
  socketPath: string,
  version: string,
  signal: AbortSignal,
): Promise<Locks | undefined> {
  const locks = createHttpLocks({ servers: [], socketPath, version, clock, timeouts: { retries: 0 } });
  try {
    await locks.list({ limit: 1 }, signal);
    return locks;
  } catch (error) {
    await locks.close();
    if (isLayerpullError(error)) return undefined;
    throw error;
  }
}

async function findCoordinatorOf(config: StatusConfig) {
  const isThere = await stat(config.store).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const connect = (socketPath: string, signal: AbortSignal) =>
    connectEmbedded(socketPath, config.version, signal);
  return await findCoordinator({ store: config.store, connect }, new AbortController().signal);
}

/** Others' locks are not this pull's news: what the coordinator has to say is for those who debug. */
function asideOf(log: Log): Log {
  const debug = (fields: object, message: string) => log.debug(fields, message);
  return { debug, info: debug, warn: debug, error: (fields, message) => log.error(fields, message) };
}

function userAgent({ version }: CoordinationConfig): string {
  return `layerpull/${version}`;
}

interface Closable {
  close(): Promise<void>;
}

/** Closes what was opened, last first, once. */
class Closers {
  readonly #open: Closable[] = [];

  add<T extends Closable>(part: T): T {
    this.#open.push(part);
    return part;
  }

  async close(): Promise<void> {
    for (let part = this.#open.pop(); part; part = this.#open.pop()) await part.close();
  }
}
