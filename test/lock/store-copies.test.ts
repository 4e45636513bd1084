import { describe, expect, it, onTestFinished } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import {
  type SessionId,
  type StoreId,
  toNodeId,
  toRequestId,
  toSessionId,
  toStoreId,
} from '../../src/core/ids.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { Locks } from '../../src/lock/locks.ts';
import type { SessionsOnStore } from '../../src/lock/session-domain.ts';
import { tellCopiesApart } from '../../src/lock/store-copies.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeClock, type FakeClock, settle } from '../support/fake-clock.ts';
import { forwardingLocks } from '../support/forwarding-locks.ts';
import { failure, success } from '../support/session-stage.ts';

const original = toStoreId('original');
const { digest: layer } = blobOf('a layer');
const { digest: otherLayer } = blobOf('another layer');

const lookAgainMs = 1_000;

/** A store in memory. */
class MemoryStore implements SessionsOnStore {
  readonly files = new Set<SessionId>();
  readonly touched: SessionId[] = [];
  readonly blobs = new Set<string>();
  name: StoreId = original;
  renamings = 0;
  attempts = 0;
  isBroken = false;
  beforeRename = async () => {};

  async enter(sessionId: SessionId) {
    this.files.add(sessionId);
  }
  async touch(sessionId: SessionId) {
    this.touched.push(sessionId);
  }
  async leave(sessionId: SessionId) {
    this.files.delete(sessionId);
  }
  async isHere(sessionId: SessionId) {
    return this.files.has(sessionId);
  }
  async hasBlob(digest: string) {
    return this.blobs.has(digest);
  }
  async rename(known: StoreId) {
    this.attempts += 1;
    await this.beforeRename();
    if (this.isBroken) throw new LayerpullError('store_full', 'no space left on the device');
    if (this.name === known) {
      this.renamings += 1;
      this.name = toStoreId(`${known}+`);
    }
    return this.name;
  }
}

/** What may look again a moment later. */
async function withTime<T>(clock: FakeClock, asked: Promise<T>): Promise<T> {
  asked.catch(() => {});
  await clock.advance(lookAgainMs);
  return await asked;
}

function createStage() {
  const clock = createFakeClock();
  const service = createMemoryLocks({ clock, recoveryMs: 0 });
  onTestFinished(() => service.close());
  /** One process with a session on `store`. */
  const open = async (
    name: string,
    store: SessionsOnStore,
    service_: Locks = service,
    storeId: StoreId = original,
  ) => {
    const locks = tellCopiesApart({ locks: service_, sessions: store, clock });
    const who = { nodeId: toNodeId(name), sessionId: toSessionId(name) };
    await locks.openSession({ ...who, storeId });
    const request = (resourceId = layer, type: 'pull' | 'delete' = 'pull') => ({ type, resourceId, ...who });
    const requestId = toRequestId(name);
    return {
      locks,
      ...who,
      request,
      acquire: (resourceId = layer, type: 'pull' | 'delete' = 'pull') =>
        withTime(clock, locks.acquire({ ...request(resourceId, type), requestId })),
      renew: async () => await locks.renew(who.sessionId, { held: [] }),
      release: (outcome: typeof success | typeof failure, resourceId = layer) =>
        locks.release({ ...request(resourceId), outcome }),
      close: () => locks.closeSession(who.sessionId),
    };
  };
  const domains = async () => (await service.list({})).map(({ domain }) => domain).sort();
  return { clock, service, open, domains };
}

describe('sessions of one store', () => {
  it('wait for each other and skip what another brought', async () => {
    const { open } = createStage();
    const store = new MemoryStore();
    const [a, b] = [await open('a', store), await open('b', store)];
    expect(await a.acquire()).toMatchObject({ kind: 'granted' });
    expect(await b.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
    store.blobs.add(layer);
    await a.release(success);
    expect(await b.acquire()).toMatchObject({ kind: 'skip', by: { nodeId: 'a' } });
    expect(store.renamings).toBe(0);
  });

  it('skip what a session brought that has ended since', async () => {
    const { open } = createStage();
    const store = new MemoryStore();
    const a = await open('a', store);
    await a.acquire();
    store.blobs.add(layer);
    await a.release(success);
    await a.close();
    expect(store.files.size).toBe(0);
    expect(await (await open('b', store)).acquire()).toMatchObject({ kind: 'skip' });
    expect(store.renamings).toBe(0);
  });

  it('are not taken for strangers when one ends just as another hears of it', async () => {
    const { open, service } = createStage();
    const store = new MemoryStore();
    const a = await open('a', store);
    await a.acquire();
    const late = forwardingLocks(() => service);
    const b = await open('b', store, {
      ...late,
      acquire: async (...args) => {
        const reply = await late.acquire(...args);
        if (reply.kind === 'queued') await a.close();
        return reply;
      },
    });
    expect(await b.acquire()).toMatchObject({ kind: 'granted' });
    expect(store.renamings).toBe(0);
  });

  it('leave their file while the service may still name them', async () => {
    const { open, service } = createStage();
    const store = new MemoryStore();
    const deaf = { ...forwardingLocks(() => service) };
    deaf.closeSession = async () => {
      throw new LayerpullError('lock_unreachable', 'nobody there');
    };
    const a = await open('a', store, deaf);
    await a.acquire();
    await expect(a.close()).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(await (await open('b', store)).acquire()).toMatchObject({ kind: 'queued' });
    expect(store.renamings).toBe(0);
  });

  it('touch their file as long as they live', async () => {
    const { clock, open } = createStage();
    const store = new MemoryStore();
    const a = await open('a', store);
    await clock.advance(3_600_000);
    expect(store.touched).toEqual([a.sessionId]);
    await a.close();
    await clock.advance(3_600_000);
    expect(store.touched).toHaveLength(1);
  });

  it('find each other also where the service gives them their names', async () => {
    const { clock, service, open } = createStage();
    const store = new MemoryStore();
    const locks = tellCopiesApart({ locks: service, sessions: store, clock });
    const nodeId = toNodeId('a');
    const { sessionId } = await locks.openSession({ nodeId, storeId: original });
    await locks.acquire({ type: 'pull', resourceId: layer, nodeId, sessionId });
    expect(await (await open('b', store)).acquire()).toMatchObject({ kind: 'queued', holder: { sessionId } });
    expect(store.renamings).toBe(0);
    await locks.closeSession(sessionId);
    expect(store.files).not.toContain(sessionId);
  });

  it('are closed again where their file cannot be written', async () => {
    const { clock, service } = createStage();
    const store = new MemoryStore();
    store.enter = async () => {
      throw new LayerpullError('store_full', 'no space left on the device');
    };
    const locks = tellCopiesApart({ locks: service, sessions: store, clock });
    const opened = locks.openSession({ nodeId: toNodeId('a'), storeId: original });
    await expect(opened).rejects.toMatchObject({ code: 'store_full' });
    expect(await service.nodes()).toMatchObject([{ nodeId: 'a', state: 'offline' }]);
  });

  it('leave no file behind when the server was never reached', async () => {
    const { clock, service } = createStage();
    const store = new MemoryStore();
    const unreachable = { ...forwardingLocks(() => service) };
    unreachable.openSession = async () => {
      throw new LayerpullError('lock_unreachable', 'nobody there');
    };
    const locks = tellCopiesApart({ locks: unreachable, sessions: store, clock });
    const who = { nodeId: toNodeId('a'), sessionId: toSessionId('a'), storeId: original };
    await expect(locks.openSession(who)).rejects.toMatchObject({ code: 'lock_unreachable' });
    await locks.close();
    expect(store.files.size).toBe(0);
    expect(clock.pending()).toBe(0);
  });

  it('take a deletion that another did for done, though its session has ended', async () => {
    const { open } = createStage();
    const store = new MemoryStore();
    const [a, b] = [await open('a', store), await open('b', store)];
    await a.acquire(layer, 'delete');
    expect(await b.acquire(layer, 'delete')).toMatchObject({ kind: 'queued' });
    await a.locks.release({
      ...{ type: 'delete', resourceId: layer, nodeId: a.nodeId, sessionId: a.sessionId },
      outcome: success,
    });
    await a.close();
    expect(await b.acquire(layer, 'delete')).toMatchObject({ kind: 'skip' });
    expect(store.renamings).toBe(0);
  });
});

describe('sessions of a store and of its copy', () => {
  it('do not wait for each other', async () => {
    const { open, domains } = createStage();
    const [store, copy] = [new MemoryStore(), new MemoryStore()];
    const [a, b] = [await open('a', store), await open('b', copy)];
    expect(await a.acquire()).toMatchObject({ kind: 'granted' });
    expect(await b.acquire()).toMatchObject({ kind: 'granted' });
    expect([store.renamings, copy.renamings]).toEqual([0, 1]);
    expect(await domains()).toEqual([original, copy.name].sort());
  });

  it('do not skip what came into the other store', async () => {
    const { open } = createStage();
    const [store, copy] = [new MemoryStore(), new MemoryStore()];
    const a = await open('a', store);
    await a.acquire();
    store.blobs.add(layer);
    await a.release(success);
    expect(await (await open('b', copy)).acquire()).toMatchObject({ kind: 'granted' });
    expect(copy.renamings).toBe(1);
  });

  it('change the name once, however many layers are asked for at once', async () => {
    const { open } = createStage();
    const copy = new MemoryStore();
    const [a, b] = [await open('a', new MemoryStore()), await open('b', copy)];
    const layers = Array.from({ length: 10 }, (_, at) => blobOf(`layer ${at}`).digest);
    for (const one of layers) await a.acquire(one);
    const replies = await Promise.all(layers.map((one) => b.acquire(one)));
    expect(replies.map(({ kind }) => kind)).toEqual(layers.map(() => 'granted'));
    expect(copy.renamings).toBe(1);
  });

  it('take the name that another process of the copy took, and wait for that one', async () => {
    const { open } = createStage();
    const copy = new MemoryStore();
    const a = await open('a', new MemoryStore());
    const [b, c] = [await open('b', copy), await open('c', copy)];
    await a.acquire();
    expect(await b.acquire()).toMatchObject({ kind: 'granted' });
    expect(await c.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'b' } });
    expect(copy.renamings).toBe(1);
  });

  it('keep the new name when the service has forgotten the session and it is opened again', async () => {
    const { open, domains } = createStage();
    const copy = new MemoryStore();
    const [a, b] = [await open('a', new MemoryStore()), await open('b', copy)];
    await a.acquire();
    await b.acquire();
    const { nodeId, sessionId } = b;
    await b.locks.openSession({ nodeId, sessionId, storeId: original });
    expect(await b.acquire(otherLayer)).toMatchObject({ kind: 'granted' });
    expect(await domains()).toEqual([original, copy.name, copy.name].sort());
  });

  it('wait as before where the new name cannot be written', async () => {
    const { open } = createStage();
    const copy = new MemoryStore();
    copy.isBroken = true;
    const [a, b] = [await open('a', new MemoryStore()), await open('b', copy)];
    await a.acquire();
    expect(await b.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
  });
});

describe('a session whose store gets a name of its own', () => {
  it('keeps what it holds, and others of its store wait for that', async () => {
    const { open } = createStage();
    const [store, copy] = [new MemoryStore(), new MemoryStore()];
    const [a, b] = [await open('a', store), await open('b', copy)];
    await b.acquire(otherLayer);
    await a.acquire();
    expect(await b.acquire()).toMatchObject({ kind: 'granted' });
    expect(await a.acquire(otherLayer)).toMatchObject({ kind: 'granted' });
    expect(store.renamings).toBe(0);
    const d = await open('d', copy, undefined, copy.name);
    expect(await d.acquire(otherLayer)).toMatchObject({ kind: 'queued', holder: { nodeId: 'b' } });
    copy.blobs.add(otherLayer);
    expect(await b.release(success, otherLayer)).toEqual({ kind: 'released' });
    expect(await d.acquire(otherLayer)).toMatchObject({ kind: 'skip', by: { nodeId: 'b' } });
  });

  it('is closed after it has moved, and not opened by that again', async () => {
    const { clock, open, service } = createStage();
    const copy = new MemoryStore();
    const [a, b] = [await open('a', new MemoryStore()), await open('b', copy)];
    await a.acquire();
    let rename = () => {};
    const named = new Promise<void>((resolve) => {
      rename = resolve;
    });
    copy.beforeRename = () => named;
    const asked = b.acquire();
    await clock.advance(lookAgainMs);
    const closing = b.close();
    rename();
    await closing;
    await asked;
    expect((await service.nodes()).filter(({ nodeId }) => nodeId === 'b')).toMatchObject([
      { state: 'offline' },
    ]);
  });
});

describe('a file of a session that a slow shared store shows late', () => {
  it('is waited for, and the store keeps its name', async () => {
    const { clock, open } = createStage();
    const store = new MemoryStore();
    const [a, b] = [await open('a', store), await open('b', store)];
    await a.acquire();
    store.files.delete(a.sessionId);
    const asked = b.locks.acquire({ ...b.request(), requestId: toRequestId('b') });
    await settle();
    store.files.add(a.sessionId);
    await clock.advance(lookAgainMs);
    expect(await asked).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
    expect(store.renamings).toBe(0);
  });

  it('is not waited for by a pull that is interrupted', async () => {
    const { clock, open } = createStage();
    const [a, b] = [await open('a', new MemoryStore()), await open('b', new MemoryStore())];
    await a.acquire();
    const pending = clock.pending();
    const interrupt = new AbortController();
    const asked = b.locks.acquire({ ...b.request(), requestId: toRequestId('b') }, interrupt.signal);
    asked.catch(() => {});
    await settle();
    interrupt.abort(new Error('interrupted'));
    await expect(asked).rejects.toThrow('interrupted');
    expect(clock.pending()).toBe(pending);
  });
});

describe('a session that waits behind one of its own store', () => {
  /** `c` holds, behind it wait `a` of the original, and `b` of the copy. */
  async function setUp() {
    const stage = createStage();
    const [store, copy] = [new MemoryStore(), new MemoryStore()];
    const [c, b, a] = [
      await stage.open('c', copy),
      await stage.open('b', copy),
      await stage.open('a', store),
    ];
    await c.acquire();
    store.files.add(c.sessionId);
    await a.acquire();
    expect(await b.acquire()).toMatchObject({ kind: 'queued', position: 2, holder: { nodeId: 'c' } });
    return { ...stage, store, copy, a, b, c };
  }

  it('leaves the domain once the lock goes to one of another store', async () => {
    const { clock, copy, b, c, service } = await setUp();
    await c.release(failure);
    expect(await b.renew()).toMatchObject({ queued: [{ holder: { nodeId: 'a' } }] });
    await clock.advance(lookAgainMs);
    await b.renew();
    await settle();
    expect(copy.renamings).toBe(1);
    expect(await b.renew()).toMatchObject({ queued: [], granted: [{ resourceId: layer }] });
    const holders = (await service.list({})).map(({ domain, holder }) => [domain, holder?.nodeId]);
    expect(holders.sort()).toEqual(
      [
        ['original', 'a'],
        [copy.name, 'b'],
      ].sort(),
    );
  });

  it('learns that from its stream too', async () => {
    const { clock, copy, b, c } = await setUp();
    const stopping = new AbortController();
    const stream = b.locks.watch(b.sessionId, stopping.signal)[Symbol.asyncIterator]();
    await stream.next();
    await c.release(failure);
    const event = (await withTime(clock, stream.next())).value;
    expect(event).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
    await clock.advance(lookAgainMs);
    await b.renew();
    await settle();
    expect(copy.renamings).toBe(1);
    stopping.abort();
  });

  it('stays where the one that is named shows its file a moment later', async () => {
    const { clock, copy, a, b, c } = await setUp();
    await c.release(failure);
    await b.renew();
    await settle();
    copy.files.add(a.sessionId);
    await clock.advance(lookAgainMs);
    for (let times = 0; times < 2; times += 1) {
      await b.renew();
      await settle();
      await clock.advance(lookAgainMs);
    }
    expect(copy.renamings).toBe(0);
  });

  it('stays where the one that is named has ended since', async () => {
    const { clock, copy, a, b, c } = await setUp();
    await c.release(failure);
    await b.renew();
    await settle();
    await a.close();
    await clock.advance(lookAgainMs);
    expect(await b.renew()).toMatchObject({ queued: [], granted: [{ resourceId: layer }] });
    await settle();
    expect(copy.renamings).toBe(0);
  });

  it('tries once to give the store a name where that fails', async () => {
    const { clock, copy, b, c } = await setUp();
    copy.isBroken = true;
    await c.release(failure);
    for (let times = 0; times < 4; times += 1) {
      await b.renew();
      await settle();
      await clock.advance(lookAgainMs);
    }
    expect(copy.attempts).toBe(1);
  });
});

describe('requests without a session or a store', () => {
  it('go through as they are', async () => {
    const { clock, service } = createStage();
    const store = new MemoryStore();
    const locks = tellCopiesApart({ locks: service, sessions: store, clock });
    const nodeId = toNodeId('old');
    await locks.openSession({ nodeId });
    await locks.openSession({ nodeId, sessionId: toSessionId('s') });
    const request = { type: 'pull', resourceId: layer, nodeId } as const;
    expect(await locks.acquire(request)).toMatchObject({ kind: 'granted' });
    expect(await locks.acquire({ ...request, sessionId: toSessionId('s') })).toMatchObject({
      kind: 'queued',
    });
    expect(store.files.size).toBe(0);
  });
});
