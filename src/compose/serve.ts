import v8 from 'node:v8';
import type { ServeBounds, ServeConfig } from '../config/serve.ts';
import { deferred } from '../core/abort.ts';
import { systemClock } from '../core/clock.ts';
import { type NodeId, toToken } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { LockService } from '../lock/backends/engine/engine.ts';
import type { Metrics } from '../lock/server/metrics.ts';
import { Closers } from './closers.ts';
import { openTrust, servingOf, warnWhenOpen } from './trust.ts';

const clock = systemClock;

export interface RunningServer {
  readonly url: string;
  /** Rejects when the server cannot go on; never resolves. */
  readonly failed: Promise<never>;
  /** Reads tokens and certificates again; undefined: there are none. */
  readonly reload?: (() => void) | undefined;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Wires a lock server and listens. @throws LayerpullError `address_in_use`, `usage`, `data_*`, `etcd_*`, `cluster_mismatch` */
export async function composeServe(
  config: ServeConfig,
  { log }: { readonly log: Log },
): Promise<RunningServer> {
  keepHeapSmall();
  const { createLockServer } = await import('../lock/server/server.ts');
  const { createMetrics } = await import('../lock/server/metrics.ts');
  const metrics = createMetrics(config.version);
  const closers = new Closers();
  const failure = deferred<never>();
  failure.promise.catch(() => {});
  try {
    const trust = openTrust(config.trust, log);
    closers.add({ close: async () => trust?.close() });
    const serving = await servingOf(trust);
    const locks = await openLocks(config, { log, metrics, closers, onFailure: failure.reject });
    metrics.countWith(() => locks.counts());
    const figures = locks.clusterFigures?.bind(locks);
    if (figures) metrics.clusterWith(figures);
    const onNodeGone = (nodeId: NodeId) => locks.nodeGone(nodeId);
    const trouble = () => locks.trouble?.();
    const parts = { locks, log, clock, metrics, serving, onNodeGone, trouble };
    const server = closers.add(createLockServer(parts));
    const { url } = await server.listen({ host: config.host, port: config.port });
    warnWhenOpen('the lock server', config.host, serving, log);
    return { url, failed: failure.promise, reload: trust?.reload, close: () => closers.close() };
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
  /** Close the service. */
  readonly closers: Closers;
  readonly onFailure: (error: unknown) => void;
}

async function openLocks(
  { data, backend, bounds, version }: ServeConfig,
  { log, metrics, closers, onFailure }: ServiceParts,
): Promise<LockService> {
  const options = { clock, log, observe: metrics.observe, ...machineBounds(bounds) };
  if (backend) {
    const { openEtcdBackend } = await import('./etcd-backend.ts');
    return await openEtcdBackend(backend, { ...options, version, onFailure }, closers);
  }
  if (data !== undefined) {
    const { createDurableLocks } = await import('../lock/backends/durable/durable-locks.ts');
    const onCommit = metrics.committed;
    return closers.add(await createDurableLocks({ ...options, directory: data, onFailure, onCommit }));
  }
  const { createMemoryLocks } = await import('../lock/backends/memory.ts');
  // Wall time, so that tokens go on upwards after a restart that left nothing behind.
  return closers.add(createMemoryLocks({ ...options, firstToken: toToken(clock.wallNow() * 1_024) }));
}

/** The times of a session keep their proportions: two heartbeats may get lost, and a grant outlasts one. */
function machineBounds({ ttlMs, stallMs, ...bounds }: ServeBounds) {
  const third = Math.max(1, Math.floor(ttlMs / 3));
  return {
    ...bounds,
    ttlMs,
    stallMs,
    originStallMs: stallMs,
    heartbeatMs: third,
    graceMs: third,
    claimMs: third * 2,
  };
}
