import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../../src/core/ids.ts';
import { currentNews } from '../../../src/lock/read-model.ts';
import { createRig, layer, type Rig } from './support.ts';

const status = (rig: Rig, node: string) => {
  const reply = rig.run({
    kind: 'status',
    request: { type: 'pull', resourceId: layer, nodeId: toNodeId(node) },
  });
  if (reply.kind !== 'status') throw new Error(reply.kind);
  return reply.status;
};
const news = (rig: Rig) => currentNews(rig.state, 'pull', layer, rig.now()).map(({ event }) => event);

describe('a client without a session', () => {
  it('that polls after its grant passed on waits again at the end', () => {
    const rig = createRig();
    for (const node of ['a', 'b', 'c']) rig.acquire(node);
    rig.release('a', false);
    rig.pass(8_000);
    status(rig, 'c');
    rig.pass(2_000);
    expect(rig.holder()).toBe('c');
    expect(status(rig, 'b')).toMatchObject({ acquired: false, completed: false });
    expect(rig.queue()).toEqual(['b']);
  });

  it('that polls after its place lapsed gets a lock that is free', () => {
    const rig = createRig();
    for (const node of ['a', 'b']) rig.acquire(node);
    rig.pass(16_000);
    rig.release('a', false);
    expect(status(rig, 'b').acquired).toBe(true);
    expect(rig.holder()).toBe('b');
  });

  it('that only looks never gets a lock or a place', () => {
    const rig = createRig();
    expect(status(rig, 'a').acquired).toBe(false);
    expect(rig.state.locks.size).toBe(0);
    rig.acquire('a');
    status(rig, 'b');
    expect(rig.queue()).toEqual([]);
    rig.release('a', false);
    expect(status(rig, 'b').acquired).toBe(false);
  });

  it('holds its lock by any request about it, also one that is refused', () => {
    const rig = createRig();
    rig.acquire('a');
    rig.pass(599_000);
    rig.release('a', true, { type: 'delete' });
    rig.pass(599_000);
    expect(rig.holder()).toBe('a');
    rig.pass(1_000);
    expect(rig.holder()).toBeUndefined();
  });

  it('has its whole lease from the moment it claims a grant', () => {
    const rig = createRig();
    for (const node of ['a', 'b']) rig.acquire(node);
    rig.release('a', false);
    rig.pass(9_000);
    status(rig, 'b');
    rig.pass(599_750);
    expect(rig.holder()).toBe('b');
    rig.pass(250);
    expect(rig.holder()).toBeUndefined();
  });

  it('is called by name when its grant passed on, and sees that the operation failed when a lease ended', () => {
    const rig = createRig();
    for (const node of ['a', 'b']) rig.acquire(node);
    rig.release('a', false);
    rig.events.length = 0;
    rig.pass(10_000);
    const calls = rig.events.flatMap((event) => (event.kind === 'resource' ? [event.event] : []));
    expect(calls).toMatchObject([{ nodeId: 'b', success: false, error: '' }]);
    rig.acquire('c');
    rig.pass(600_000);
    expect(status(rig, 'd')).toMatchObject({ acquired: false, completed: true, success: false });
  });

  it('that begins to listen hears who holds, how it ended, and that it is called itself', () => {
    const rig = createRig();
    expect(news(rig)).toEqual([]);
    for (const node of ['a', 'b']) rig.acquire(node);
    expect(news(rig)).toMatchObject([{ nodeId: 'a', success: false, error: '' }]);
    const outcome = { success: false, error: 'wrong bytes', class: 'content' } as const;
    const request = { type: 'pull', resourceId: layer, nodeId: toNodeId('a'), outcome } as const;
    rig.run({ kind: 'release', request });
    expect(news(rig)).toMatchObject([
      { nodeId: 'a', success: false, error: 'wrong bytes' },
      { nodeId: 'b', success: false, error: '' },
    ]);
    rig.acquire('b');
    rig.release('b');
    expect(news(rig)).toMatchObject([{ nodeId: 'b', success: true }]);
  });

  it('keeps its place while anybody listens to the resource, and fifteen seconds longer', () => {
    const rig = createRig();
    rig.open('holder');
    rig.acquire('holder');
    rig.acquire('a');
    rig.run({ kind: 'listener-opened', resourceId: layer });
    for (let second = 0; second < 60; second += 5) {
      rig.renew('holder');
      rig.pass(5_000);
    }
    expect(rig.queue()).toEqual(['a']);
    rig.run({ kind: 'listener-closed', resourceId: layer });
    rig.renew('holder');
    rig.pass(14_000);
    expect(rig.queue()).toEqual(['a']);
    rig.pass(1_000);
    expect(rig.queue()).toEqual([]);
  });

  it('is called by name when its place lapses', () => {
    const rig = createRig();
    for (const node of ['a', 'b']) rig.acquire(node);
    rig.events.length = 0;
    rig.pass(15_000);
    const calls = rig.events.flatMap((event) => (event.kind === 'resource' ? [event.event] : []));
    expect(calls).toMatchObject([{ nodeId: 'b', success: false, error: '' }]);
  });
});
