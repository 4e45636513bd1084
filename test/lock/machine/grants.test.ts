import { describe, expect, it } from 'vitest';
import { createRig, layer, sessionOf } from './support.ts';

describe('a grant', () => {
  it('to a waiter passes on unless it is claimed in time', () => {
    const rig = createRig();
    for (const node of ['a', 'b', 'c']) rig.acquire(node);
    rig.release('a', false);
    expect(rig.holder()).toBe('b');
    rig.pass(9_750);
    expect(rig.holder()).toBe('b');
    rig.acquire('c');
    rig.pass(250);
    expect(rig.holder()).toBe('c');
  });

  it('that nobody claimed is no failure of the operation', () => {
    const rig = createRig();
    for (const node of ['a', 'b']) rig.acquire(node);
    rig.release('a', false);
    rig.pass(10_000);
    const [lock] = rig.state.locks.values();
    expect(lock?.lastFailure?.by.nodeId).toBe('a');
  });

  it('told to a waiter comes before the new places of the others', () => {
    const rig = createRig();
    for (const node of ['a', 'b', 'c']) rig.open(node);
    for (const node of ['a', 'b', 'c']) rig.acquire(node);
    rig.events.length = 0;
    rig.release('a', false);
    const kinds = rig.events.map((event) => (event.kind === 'session' ? event.event.kind : event.kind));
    expect(kinds.indexOf('granted')).toBeGreaterThan(-1);
    expect(kinds.indexOf('moved')).toBeGreaterThan(kinds.indexOf('granted'));
    expect(kinds.filter((kind) => kind === 'moved')).toHaveLength(1);
  });

  it('is logged with who, what, for how long it was waited and held', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    rig.stall(100);
    rig.acquire('b');
    rig.stall(400);
    rig.release('a', false);
    const lines = rig.events.filter((event) => event.kind === 'log');
    const place = { resourceId: layer, domain: 'default', type: 'pull' };
    const a = { nodeId: 'a', sessionId: sessionOf('a') };
    expect(lines).toMatchObject([
      { what: 'granted', who: a, token: 1, waitedMs: 0, ...place },
      { what: 'queued', who: { nodeId: 'b' }, position: 1, ...place },
      { what: 'released', who: a, token: 1, success: false, error: 'a failed', heldMs: 500, ...place },
      { what: 'granted', who: { nodeId: 'b' }, token: 2, waitedMs: 400, ...place },
    ]);
  });

  it('that is taken back is logged with the reason', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    rig.pass(15_000);
    const line = rig.events.find((event) => event.kind === 'log' && event.what === 'reclaimed');
    expect(line).toMatchObject({ who: { nodeId: 'a' }, reason: 'no heartbeat for 15 s', heldMs: 15_000 });
  });
});

describe('memory', () => {
  it('of spent tokens, farewells and idle locks is bounded', () => {
    const rig = createRig({ maxRecords: 3, maxQueue: 5_000 });
    for (let round = 0; round < 140; round += 1) {
      rig.acquire('a');
      rig.release('a', false);
    }
    rig.acquire('holder');
    for (let node = 0; node < 1_200; node += 1) rig.acquire(`node-${node}`);
    rig.pass(16_000);
    const [lock] = rig.state.locks.values();
    expect(lock?.spent.size).toBe(100);
    expect(lock?.queue.size).toBe(0);
    expect(lock?.farewells.size).toBe(1_000);
  });
});

describe('many waiters', () => {
  it('cost little each: fifty thousand come and are handed the lock one by one', () => {
    const count = 50_000;
    const rig = createRig({ maxQueue: count });
    rig.acquire('first');
    for (let node = 0; node < count; node += 1) {
      expect(rig.acquire(`node-${node}`)).toMatchObject({ position: node + 1 });
    }
    rig.release('first', false);
    for (let node = 0; node < count; node += 1) rig.release(`node-${node}`, false);
    expect(rig.state.active.size).toBe(0);
    expect(rig.state.nextToken).toBe(count + 2);
    // A cost that grew with the queue would run into the time limit by far.
  }, 20_000);

  it('are all answered by one success', () => {
    const count = 20_000;
    const rig = createRig({ maxQueue: count });
    for (let node = 0; node <= count; node += 1) rig.open(`node-${node}`);
    for (let node = 0; node <= count; node += 1) rig.acquire(`node-${node}`);
    rig.events.length = 0;
    rig.release('node-0');
    const completed = rig.events.filter(
      (event) => event.kind === 'session' && event.event.kind === 'completed',
    );
    expect(completed).toHaveLength(count);
    expect(rig.queue()).toEqual([]);
  });
});
