import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { type SessionId, toNodeId, toSessionId } from '../../src/core/ids.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { createEmbeddedLocks } from '../../src/lock/embedded.ts';
import {
  type EmbeddedServer,
  type EmbeddedServerOptions,
  takeLead,
} from '../../src/lock/embedded-election.ts';
import type { Locks } from '../../src/lock/locks.ts';
import { blobOf } from '../support/blobs.ts';
import { tempDir } from '../support/temp.ts';

const layer = blobOf('a layer');

/** Stands for the socket: processes on one store find the service of whoever serves now. */
function createStage() {
  const store = tempDir();
  const serving = new Map<string, Locks>();
  const started: EmbeddedServerOptions[] = [];
  const serve = async (options: EmbeddedServerOptions): Promise<EmbeddedServer> => {
    const { firstToken, recoveryMs } = options;
    const locks = createMemoryLocks({ clock: systemClock, firstToken, recoveryMs });
    started.push(options);
    serving.set(store, locks);
    return {
      locks,
      hasOtherSessions: () => locks.sessionCount() > 1,
      close: async () => {
        serving.delete(store);
        await locks.close();
      },
    };
  };
  const connect = async () => {
    const locks = serving.get(store);
    return guest(locks, () => serving.get(store) === locks);
  };
  const open = (more: { readonly stepsAside?: boolean } = {}) => {
    const locks = createEmbeddedLocks({
      ...more,
      store,
      clock: systemClock,
      serve,
      connect,
    });
    onTestFinished(() => locks.close());
    return locks;
  };
  return { store, serve, started, open };
}

/** A member's view of the service: closing it leaves the service alone, and it ends with the coordinator. */
function guest(locks: Locks | undefined, isServed: () => boolean): Locks | undefined {
  if (!locks) return undefined;
  const isMethod = (value: unknown): value is (...args: unknown[]) => unknown => typeof value === 'function';
  return new Proxy(locks, {
    get: (target, name) => {
      if (name === 'close') return async () => {};
      if (!isServed()) return async () => Promise.reject(new LayerpullError('lock_unreachable', 'gone'));
      const value: unknown = Reflect.get(target, name);
      return isMethod(value) ? value.bind(target) : value;
    },
  });
}

async function join(locks: Locks, name: string): Promise<SessionId> {
  const { sessionId } = await locks.openSession({ sessionId: toSessionId(name), nodeId: toNodeId(name) });
  return sessionId;
}

const acquireFor = (locks: Locks, sessionId: SessionId) =>
  locks.acquire({ type: 'pull', resourceId: layer.digest, nodeId: toNodeId(sessionId), sessionId });

function recordOf(store: string) {
  return JSON.parse(readFileSync(path.join(store, 'coordinator.lock'), 'utf8'));
}

function pretendHost(store: string, fields: object): void {
  const here = { format: 1, epoch: 4, pid: 1, host: 'far-away', kernel: 'another kernel', clean: false };
  writeFileSync(path.join(store, 'coordinator.lock'), JSON.stringify({ ...here, ...fields }));
}

describe('processes on one store without a server', () => {
  it('elect one of themselves, and the others join it', async () => {
    const { open, started } = createStage();
    const [a, b] = [open(), open()];
    expect(await acquireFor(a, await join(a, 'node-a'))).toMatchObject({ kind: 'granted' });
    expect(await acquireFor(b, await join(b, 'node-b'))).toMatchObject({ kind: 'queued' });
    expect(started).toHaveLength(1);
  });

  it('start without a recovery on a new store, and after a coordinator on whom nobody depended', async () => {
    const { open, started, store } = createStage();
    const first = open();
    await join(first, 'node-a');
    await first.close();
    expect(recordOf(store)).toMatchObject({ clean: true, epoch: 1 });
    await join(open(), 'node-b');
    expect(started.map(({ recoveryMs }) => recoveryMs)).toEqual([0, 0]);
  });

  it('take over with a recovery and higher tokens when the coordinator leaves others behind', async () => {
    const { open, started } = createStage();
    const [a, b] = [open(), open()];
    await join(a, 'node-a');
    await join(b, 'node-b');
    await a.close();
    await join(b, 'node-b').catch(async () => await join(b, 'node-b'));
    expect(started).toHaveLength(2);
    expect(started[1]?.recoveryMs).toBeGreaterThan(0);
    expect(started[1]?.firstToken).toBeGreaterThan(started[0]?.firstToken ?? Number.POSITIVE_INFINITY);
  });

  it('find the next coordinator when the one that they open a session with ends just then', async () => {
    const { open, started } = createStage();
    const [a, b] = [open(), open()];
    await join(a, 'node-a');
    await join(b, 'node-b');
    await a.close();
    await join(b, 'node-c');
    expect(started).toHaveLength(2);
  });

  it('leave the lead to an agent that waits for it, where they step aside, and go on with that one', async () => {
    const { started, store, serve, open } = createStage();
    const lasting = open({ stepsAside: true });
    await join(lasting, 'lasting');
    const waits: unknown[] = [];
    const onWait = (coordinator: unknown) => void waits.push(coordinator);
    const signal = new AbortController().signal;
    const seat = await takeLead({ store, clock: systemClock, serve, isAgent: true }, onWait, signal);
    onTestFinished(() => seat.close());
    expect([seat.kind, waits.length, started.length]).toEqual(['coordinator', 1, 2]);
    // What the other holds it may bring back.
    expect(started[1]?.recoveryMs).toBeGreaterThan(0);
    await join(lasting, 'again');
    expect(started).toHaveLength(2);
  });

  it('do not pretend when another host is using the store: the error names the host and what to do', async () => {
    const { open, store } = createStage();
    pretendHost(store, {});
    const joining = join(open(), 'node-a');
    await expect(joining).rejects.toMatchObject({ code: 'lock_unreachable' });
    const error = await joining.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(LayerpullError);
    expect(String(error)).toContain('far-away');
    expect(error).toMatchObject({ hint: expect.stringContaining('layerpull serve') });
  });

  it('take the store of another host that has long been silent, or that left it in order', async () => {
    const { open, store } = createStage();
    pretendHost(store, {});
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(path.join(store, 'coordinator.lock'), longAgo, longAgo);
    const first = open();
    await join(first, 'node-a');
    await first.close();
    pretendHost(store, { clean: true });
    await join(open(), 'node-b');
  });

  it('say that they cannot coordinate on a store that cannot be written', async () => {
    const { open, store } = createStage();
    writeFileSync(path.join(store, 'coordinator.lock'), '');
    const elsewhere = createEmbeddedLocks({
      ...{ store: path.join(store, 'coordinator.lock', 'below'), clock: systemClock },
      serve: async () => Promise.reject(new Error('never')),
      connect: async () => undefined,
    });
    await expect(join(elsewhere, 'node-a')).rejects.toMatchObject({ code: 'lock_unreachable' });
    await elsewhere.close();
    await join(open(), 'node-a');
  });
});
