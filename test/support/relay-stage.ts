import { onTestFinished } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId, toStoreId, toToken } from '../../src/core/ids.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { Hold, LayerAcquire, LayerReply, Locks, Source, SourceReply } from '../../src/lock/locks.ts';
import { createRelayLocks } from '../../src/lock/relay.ts';
import { openLockSession } from '../../src/lock/session.ts';
import { createFakeClock } from './fake-clock.ts';
import { forwardingLocks } from './forwarding-locks.ts';

export interface RelayStageOptions {
  /** What the store of the agent has. */
  readonly blobs?: readonly Digest[];
  /** What the lock server answers to a report about a source, one after the other. Default: its own answer. */
  readonly sources?: readonly SourceReply[];
  /** Where the lock server sends whoever gets a lock. Default: the registry. */
  readonly source?: Source;
  /** Of a take-over, in milliseconds. Default 0. */
  readonly recoveryMs?: number;
}

export type RelayStage = ReturnType<typeof createRelayStage>;

/** An agent's locks in front of a lock server, both in memory. */
export function createRelayStage(options: RelayStageOptions = {}) {
  const clock = createFakeClock();
  const { blobs = [], source, recoveryMs = 0 } = options;
  const server = createMemoryLocks({ clock, recoveryMs: 0 });
  const replies = [...(options.sources ?? [])];
  const reports: unknown[] = [];
  let isCut = false;
  const reach = () => {
    if (isCut) throw new LayerpullError('lock_unreachable', 'the line is cut');
    return server;
  };
  const through = forwardingLocks(reach);
  const line: Locks = {
    ...through,
    openSession: async (...args) => through.openSession(...args),
    renew: async (...args) => through.renew(...args),
    acquire: async (...args) => {
      reach();
      const reply = await server.acquire(...args);
      return reply.kind === 'granted' && source ? { ...reply, source } : reply;
    },
    sources: async (request, signal) => {
      const { sessionId: _, resourceId: __, token: ___, ...report } = request;
      reports.push(report);
      return replies.shift() ?? (await server.sources(request, signal));
    },
  };
  const openSession = (name: string) =>
    openLockSession({
      ...{ locks: line, clock, random: () => 0.5, nodeId: toNodeId(name), storeId: toStoreId('store') },
    });
  const upstream = openSession('agent');
  const done: string[] = [];
  const relay = createRelayLocks({
    local: (observe) => createMemoryLocks({ clock, recoveryMs, firstToken: toToken(1_000_000), observe }),
    ...{ upstream, clock, hasBlob: async (digest) => blobs.includes(digest) },
    onDone: (type, digest) => done.push(`${type} ${digest}`),
  });
  onTestFinished(async () => {
    await settle(clock, relay.close());
    await settle(clock, upstream.close());
    await server.close();
  });
  return {
    ...{ clock, server, upstream, relay, done, reports },
    /** Whether nothing gets through to the lock server. */
    cut: (now: boolean) => {
      isCut = now;
    },
    /** A process on the store of the agent. */
    local: (name: string) => {
      const session = openLockSession({ locks: relay, clock, random: () => 0.5, nodeId: toNodeId(name) });
      onTestFinished(async () => await settle(clock, session.close()));
      return session;
    },
    /** Another process of the same domain that went past the agent. */
    other: (name: string) => {
      const session = openSession(name);
      onTestFinished(async () => await settle(clock, session.close()));
      return session;
    },
    /** An acquire that may need a moment. */
    ask: async (
      session: { acquire(request: LayerAcquire, signal: AbortSignal): Promise<LayerReply> },
      request: LayerAcquire,
    ) => await settle(clock, session.acquire(request, new AbortController().signal)),
  };
}

/** Lets time pass until it is done: at most 30 seconds, in steps of 100 ms. */
export async function settle<T>(clock: { advance(ms: number): Promise<void> }, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  await clock.advance(0);
  for (let step = 0; step < 300 && !isOver; step += 1) await clock.advance(100);
  return await work;
}

/** Waits until the lock is free to be asked for. */
export async function untilCalled(clock: Parameters<typeof settle>[0], reply: LayerReply): Promise<void> {
  if (reply.kind !== 'queued') throw new Error(`expected a place, got ${reply.kind}`);
  const never = new AbortController().signal;
  for (;;) {
    const change = await settle(clock, reply.place.next(never));
    if (change.kind === 'granted') return;
    if (change.kind !== 'moved') throw new Error(`expected a call, got ${change.kind}`);
  }
}

export function heldBy(reply: LayerReply): Hold {
  if (reply.kind !== 'granted') throw new Error(`expected a grant, got ${reply.kind}`);
  return reply.hold;
}
