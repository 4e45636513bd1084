import { describe, expect, it } from 'vitest';
import { createFleet } from './fleet.ts';
import { layer, otherLayer } from './support.ts';

describe('the holder of a pull reads', () => {
  it('from the registry when it is the first, and from the first when it is the second', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    expect([fleet.pull('a'), fleet.pull('b')]).toEqual(['registry', 'a']);
    expect(fleet.rig.acquire('b')).toMatchObject({
      kind: 'granted',
      source: { kind: 'peer', url: 'http://a', sessionId: 'session-a', nodeId: 'a', complete: false },
    });
  });

  it('in a tree of two children each, the shallowest first', () => {
    const fleet = createFleet();
    const nodes = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    fleet.join(...nodes);
    for (const node of nodes) fleet.pull(node);
    expect(fleet.tree()).toEqual({
      ...{ a: 'registry', b: 'a', c: 'a', d: 'b', e: 'c', f: 'b', g: 'c', h: 'd' },
    });
  });

  it('in a tree as wide as it is set up', () => {
    const fleet = createFleet({ fanOut: 3 });
    fleet.join('a', 'b', 'c', 'd', 'e');
    for (const node of ['a', 'b', 'c', 'd', 'e']) fleet.pull(node);
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'a', c: 'a', d: 'a', e: 'b' });
  });

  it('from a complete copy rather than from one that is being made', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    fleet.pull('a');
    fleet.say('b', { announce: { add: [layer] } });
    expect(fleet.pull('c')).toBe('b');
    expect(fleet.rig.acquire('c')).toMatchObject({ source: { nodeId: 'b', complete: true } });
  });

  it('in its zone rather than elsewhere, however deep', () => {
    const fleet = createFleet();
    fleet.joinAs('a', { zone: 'east' });
    fleet.joinAs('b', { zone: 'west' });
    fleet.joinAs('c', { zone: 'west' });
    fleet.joinAs('d', { zone: 'east' });
    for (const node of ['a', 'b', 'c', 'd']) fleet.pull(node);
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'a', c: 'b', d: 'a' });
  });

  it('from one that has as much rather than from one that has less, wherever they are', () => {
    const fleet = createFleet();
    fleet.joinAs('a', { zone: 'east' });
    fleet.joinAs('b', { zone: 'east' });
    fleet.joinAs('c', { zone: 'west' });
    fleet.joinAs('d', { zone: 'east' });
    for (const node of ['a', 'b', 'c', 'd']) fleet.pull(node);
    for (const [node, offset] of Object.entries({ a: 100, b: 30, c: 60, d: 20 })) fleet.at(node, offset);
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'a', c: 'a', d: 'b' });
    fleet.pass(2_000, ['a', 'b', 'c', 'd']);
    expect(fleet.ask('d', 20, 'b')).toBe('c');
    fleet.at('c', 10);
    fleet.fail('c');
    expect(fleet.source('d')).toBe('a');
  });

  it('from the registry where nobody who reads it serves anything, each at once', () => {
    const fleet = createFleet();
    for (const node of ['a', 'b']) fleet.rig.open(node, { store: node });
    fleet.join('c', 'd');
    expect(['a', 'b', 'c', 'd'].map((node) => fleet.pull(node))).toEqual([
      ...['registry', 'registry', 'registry', 'c'],
    ]);
  });

  it('as a leaf where it serves nothing itself', () => {
    const fleet = createFleet();
    fleet.join('a');
    fleet.pull('a');
    for (const node of ['b', 'c', 'd']) fleet.rig.open(node, { store: node });
    expect(['b', 'c', 'd'].map((node) => fleet.pull(node))).toEqual(['a', 'a', 'a']);
  });

  it('never from its own store, at first or second hand', () => {
    const fleet = createFleet();
    fleet.joinAs('a', { store: 'shared' });
    fleet.joinAs('b', { store: 'shared' });
    fleet.join('c', 'd');
    fleet.say('a', { announce: { add: [layer] } });
    fleet.pull('c');
    expect(fleet.source('c')).toBe('a');
    expect(fleet.pull('b')).toBe('c');
    expect(fleet.source('c')).toBe('registry');
  });

  it('without a session, or to update or delete, from the registry', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    fleet.pull('a');
    expect(fleet.rig.acquire('older')).toMatchObject({ source: { kind: 'registry' } });
    expect(fleet.rig.acquire('b', { type: 'update' })).toMatchObject({ source: { kind: 'registry' } });
    expect(fleet.rig.state.swarms.get(layer)?.members.size).toBe(1);
  });

  it('where it was told, however often it asks', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    for (const node of ['a', 'b']) fleet.pull(node);
    fleet.say('c', { announce: { add: [layer] } });
    expect(fleet.pull('b')).toBe('a');
    expect(fleet.ask('b', 0)).toBe('wait');
    fleet.at('a', 10);
    expect(fleet.ask('b', 5)).toBe('a');
  });

  it('from a new place only once it knows that it holds', () => {
    const fleet = createFleet();
    fleet.join('a', 'c');
    fleet.joinAs('b', { store: 'a' });
    fleet.pull('a');
    fleet.rig.acquire('b');
    fleet.fail('a');
    expect(fleet.pull('c')).toBe('registry');
    expect(fleet.pull('b')).toBe('c');
  });
});

describe('a copy', () => {
  it('is what a pull leaves that succeeded, and who read from it goes on there', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    for (const node of ['a', 'b']) fleet.pull(node);
    fleet.done('a');
    expect(fleet.source('b')).toBe('a');
    expect(fleet.moves('b')).toBe(0);
    expect(fleet.pull('c')).toBe('a');
  });

  it('is nobody’s once it is announced as gone, and who read it there goes on elsewhere', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    fleet.say('a', { announce: { add: [layer] } });
    fleet.pull('b');
    fleet.say('a', { announce: { remove: [layer] } });
    expect(fleet.source('b')).toBe('registry');
    expect(fleet.pull('c')).toBe('b');
  });

  it('is nobody’s once it is deleted', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    fleet.pull('a');
    fleet.done('a');
    fleet.rig.acquire('a', { type: 'delete' });
    fleet.rig.release('a', true, { type: 'delete' });
    expect(fleet.pull('b')).toBe('registry');
  });

  it('is none any more where its store pulls it again', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    fleet.pull('a');
    fleet.done('a');
    fleet.pull('b');
    expect(fleet.pull('a', layer, true)).toBe('b');
    expect(fleet.source('b')).toBe('registry');
  });

  it('is not kept of a node that serves nothing', () => {
    const fleet = createFleet();
    fleet.rig.open('a', { store: 'a' });
    fleet.say('a', { announce: { add: [layer] } });
    fleet.pull('a', otherLayer);
    fleet.done('a', otherLayer);
    expect(fleet.rig.state.swarms.size).toBe(0);
  });

  it('is not kept beyond as many as one session may have, and that is said once', () => {
    const fleet = createFleet({ maxCopies: 1 });
    fleet.join('a', 'b');
    fleet.say('a', { announce: { add: [layer, otherLayer] } });
    fleet.say('a', { announce: { add: [otherLayer, layer] } });
    expect(fleet.pull('b', otherLayer)).toBe('registry');
    expect(fleet.pull('b')).toBe('a');
    const logs = fleet.rig.events.filter((event) => event.kind === 'log' && event.what === 'overfull');
    expect(logs).toMatchObject([{ who: { nodeId: 'a' }, resourceId: otherLayer }]);
  });
});

describe('a node that serves others', () => {
  it('is told how many read from it', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    const children = () => {
      const reply = fleet.rig.renew('a');
      return reply.kind === 'snapshot' ? (reply.snapshot.children ?? 0) : undefined;
    };
    fleet.say('a', { announce: { add: [layer, otherLayer] } });
    expect(children()).toBe(0);
    fleet.pull('b');
    fleet.pull('b', otherLayer);
    fleet.pull('c');
    expect(children()).toBe(3);
    fleet.done('b');
    fleet.fail('c');
    expect(children()).toBe(1);
    fleet.rig.run({ kind: 'close-session', sessionId: fleet.rig.open('b', { store: 'b' }) });
    expect(children()).toBe(0);
  });

  it('takes its readers along when its address changes, and loses them with it', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    for (const node of ['a', 'b']) fleet.pull(node);
    fleet.joinAs('a', { url: 'http://elsewhere' });
    expect(fleet.rig.told('b')).toMatchObject([{ kind: 'source', source: { url: 'http://elsewhere' } }]);
    fleet.rig.open('a', { store: 'a' });
    expect(fleet.rig.told('b').slice(1)).toMatchObject([{ kind: 'source', source: { kind: 'registry' } }]);
  });

  it('takes them along to another store, unless that store would wait for itself', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    fleet.say('c', { announce: { add: [layer] } });
    for (const node of ['a', 'b']) fleet.pull(node);
    expect(fleet.tree()).toEqual({ a: 'c', b: 'c' });
    fleet.joinAs('a', { store: 'd' });
    expect(fleet.tree()).toEqual({ a: 'c', b: 'c' });
    fleet.joinAs('a', { store: 'c' });
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'a' });
  });
});

describe('a copy that moves to another store', () => {
  it('is none any more where that store is reading it', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    fleet.say('a', { announce: { add: [layer] } });
    expect(fleet.pull('b')).toBe('a');
    fleet.joinAs('a', { store: 'b' });
    expect(fleet.source('b')).toBe('registry');
  });
});

describe('who reads which layer from the registry', () => {
  it('is shared among those who come at the same time', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    for (const digest of [layer, otherLayer]) fleet.pull('a', digest);
    expect(fleet.pull('b')).toBe('registry');
    expect(fleet.source('a')).toBe('b');
    expect(fleet.pull('b', otherLayer)).toBe('a');
    expect(fleet.source('a', otherLayer)).toBe('registry');
  });

  it('stays as it is once it began', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    for (const digest of [layer, otherLayer]) fleet.pull('a', digest);
    fleet.pass(100, []);
    expect([fleet.pull('b'), fleet.pull('b', otherLayer)]).toEqual(['a', 'a']);
    expect(fleet.moves('a')).toBe(0);
  });

  it('stays as it is where that is turned off', () => {
    const fleet = createFleet({ yieldMs: 0 });
    fleet.join('a', 'b');
    for (const digest of [layer, otherLayer]) fleet.pull('a', digest);
    expect(fleet.pull('b')).toBe('a');
  });
});
