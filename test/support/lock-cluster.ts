import { systemClock } from '../../src/core/clock.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import type { LockService, Observe } from '../../src/lock/backends/engine/engine.ts';
import { createHttpLocks, type HttpLocksOptions } from '../../src/lock/backends/http/http-locks.ts';
import { createMemoryLocks, type MemoryLocksOptions } from '../../src/lock/backends/memory.ts';
import type { Locks } from '../../src/lock/locks.ts';
import { createLockServer } from '../../src/lock/server/server.ts';
import { type LockSession, type LockSessionOptions, openLockSession } from '../../src/lock/session.ts';
import { onCleanup } from './cleanup.ts';
import { forwardingLocks } from './forwarding-locks.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** One of several servers of one service. */
export interface ClusterServer extends TcpProxy {
  /** Sessions that listen at it. */
  readonly streams: number;
  /** Calls so far, by name. */
  readonly calls: readonly string[];
  /** From now on it answers 503 to everything, and its streams break. */
  fail(): void;
  /** The same, but streams that are open go on. */
  failRequests(): void;
}

export interface LockCluster {
  readonly service: LockService;
  readonly servers: readonly ClusterServer[];
  readonly urls: readonly URL[];
  /** All that happened to locks, such as `granted`. */
  readonly news: Parameters<Observe>[0][];
  /** A client that is to begin at the first server and to go on in order; with `random` anywhere. */
  client(options?: Partial<HttpLocksOptions>): Locks;
  /** A session of the store that all share, over a client of its own. */
  open(node: string, options?: Partial<LockSessionOptions>, client?: Partial<HttpLocksOptions>): LockSession;
}

/** Real lock servers that share their state, as those over one etcd do: here it is one service in memory. */
export async function startLockCluster(
  count: number,
  options: Partial<MemoryLocksOptions> = {},
): Promise<LockCluster> {
  const news: LockCluster['news'] = [];
  const observe: Observe = (one) => void news.push(one);
  const service = createMemoryLocks({ clock: systemClock, recoveryMs: 0, observe, ...options });
  onCleanup(() => service.close());
  const servers = await Promise.all(Array.from({ length: count }, () => startServer(service)));
  const urls = servers.map(({ url }) => new URL(url));
  const client: LockCluster['client'] = (given = {}) => {
    const inOrder = { servers: urls, version: '0.0.0', clock: systemClock, random: () => 0 };
    const locks = createHttpLocks({ ...inOrder, ...given });
    onCleanup(() => locks.close());
    return locks;
  };
  const open: LockCluster['open'] = (node, given = {}, ofClient = {}) => {
    const session = openLockSession({
      ...{ locks: client(ofClient), clock: systemClock },
      ...{ nodeId: toNodeId(node), storeId: toStoreId('store') },
      ...given,
    });
    onCleanup(() => session.close());
    return session;
  };
  return { service, servers, urls, news, client, open };
}

async function startServer(service: Locks): Promise<ClusterServer> {
  const state = { streams: 0, fails: false, out: new AbortController() };
  const calls: string[] = [];
  const reach = () => {
    if (state.fails) throw away();
    return service;
  };
  const locks = countCalls(forwardingLocks(reach), calls);
  const watch: Locks['watch'] = async function* (sessionId, signal) {
    state.streams += 1;
    try {
      yield* locks.watch(sessionId, AbortSignal.any([signal, state.out.signal]));
      if (state.out.signal.aborted) throw away();
    } finally {
      state.streams -= 1;
    }
  };
  const server = createLockServer({ locks: { ...locks, watch }, clock: systemClock });
  onCleanup(() => server.close());
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  const proxy = await startTcpProxy(url);
  return Object.defineProperties(proxy, {
    streams: { get: () => state.streams },
    calls: { value: calls },
    failRequests: {
      value: () => {
        state.fails = true;
      },
    },
    fail: {
      value: () => {
        state.fails = true;
        state.out.abort();
      },
    },
  }) as ClusterServer;
}

function countCalls(locks: Locks, calls: string[]): Locks {
  const counting = Object.entries(locks).map(([name, call]) => [
    name,
    (...args: unknown[]) => {
      calls.push(name);
      return Reflect.apply(call, locks, args);
    },
  ]);
  return Object.fromEntries(counting) as Locks;
}

function away(): LayerpullError {
  return new LayerpullError('lock_unreachable', 'the lock service is away');
}
