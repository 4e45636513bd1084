import { describe, expect, it } from 'vitest';
import { createFleet, type Fleet, total } from './fleet.ts';
import { layer, otherLayer, sessionOf } from './support.ts';

/** They come one by one, and each reads where it is told, for a while. */
function pulling(...nodes: readonly string[]): Fleet {
  const fleet = createFleet();
  fleet.join(...nodes);
  for (const node of nodes) fleet.pull(node);
  fleet.pass(2_500, nodes);
  return fleet;
}

function readersOfRegistry(fleet: Fleet): string[] {
  return Object.entries(fleet.tree()).flatMap(([node, source]) => (source === 'registry' ? [node] : []));
}

describe('a source that serves badly', () => {
  it('loses the one who complains', () => {
    const fleet = pulling('a', 'b', 'c');
    fleet.at('a', 100);
    fleet.at('c', 50);
    expect(fleet.ask('b', 20, 'a')).toBe('c');
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'c', c: 'a' });
    expect(fleet.moves('c')).toBe(0);
  });

  it('loses everybody once two stores complained, for a minute', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c', 'd', 'e', 'f');
    fleet.say('a', { announce: { add: [layer] } });
    for (const node of ['b', 'c', 'd']) fleet.pull(node);
    expect(fleet.tree()).toEqual({ b: 'a', c: 'a', d: 'b' });
    expect(fleet.ask('b', 30, 'a')).toBe('c');
    expect(fleet.ask('c', 40, 'a')).toBe('registry');
    expect(fleet.pull('e')).toBe('c');
    expect(fleet.moves('b')).toBe(0);
    fleet.pass(61_000, ['a', 'b', 'c', 'd', 'e', 'f']);
    expect(fleet.pull('f')).toBe('a');
  });

  it('is not lost to all by one store that complains twice', () => {
    const fleet = pulling('a', 'b');
    fleet.joinAs('b2', { store: 'b' });
    fleet.join('c');
    fleet.at('a', 100);
    expect(fleet.ask('b', 20, 'a')).toBe('registry');
    fleet.fail('b');
    fleet.pull('b2');
    expect(fleet.source('b2')).toBe('registry');
    expect(fleet.pull('c')).toMatch(/a|b2/);
    expect(fleet.rig.state.swarms.get(layer)?.troubles?.get(sessionOf('a'))?.reports.size).toBe(1);
  });

  it('is for other layers only the last to be asked', () => {
    const fleet = pulling('a', 'b');
    fleet.join('c', 'd');
    fleet.at('a', 100);
    fleet.ask('b', 20, 'a');
    fleet.say('a', { announce: { add: [layer] } });
    fleet.say('c', { announce: { add: [layer] } });
    expect(fleet.pull('d')).toBe('c');
  });

  it('is given up for the registry where nobody else is left', () => {
    const fleet = pulling('a', 'b');
    fleet.at('a', 100);
    expect(fleet.ask('b', 20, 'a')).toBe('registry');
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'registry' });
  });

  it('is not meant by a complaint that crosses with a move', () => {
    const fleet = pulling('a', 'b', 'c', 'd');
    fleet.at('a', 100);
    fleet.at('b', 50);
    fleet.say('b', { announce: { add: [], remove: [] } });
    expect(fleet.ask('d', 10, 'a')).toBe('b');
    expect(fleet.rig.state.swarms.get(layer)?.troubles).toBeUndefined();
  });

  it('that nobody knows any more changes nothing', () => {
    const fleet = pulling('a', 'b');
    fleet.at('a', 100);
    expect(fleet.ask('b', 10, 'nobody')).toBe('a');
  });
});

describe('a reader that has all that its source has', () => {
  it('waits, and has not complained', () => {
    const fleet = pulling('a', 'b', 'c');
    fleet.at('a', 100);
    expect(fleet.ask('b', 100, 'a')).toBe('wait');
    expect(fleet.ask('c', 100, 'a')).toBe('wait');
    fleet.at('a', 200);
    expect(fleet.ask('b', 100, 'a')).toBe('a');
    expect(fleet.ask('c', 100)).toBe('a');
    expect(fleet.rig.state.swarms.get(layer)?.troubles).toBeUndefined();
  });

  it('complains in earnest when it complains again where more was to come', () => {
    const fleet = pulling('a', 'b', 'c');
    fleet.at('c', 300);
    fleet.at('a', 100);
    expect(fleet.ask('b', 100, 'a')).toBe('wait');
    fleet.at('a', 400);
    expect(fleet.ask('b', 100, 'a')).toBe('a');
    expect(fleet.ask('b', 100, 'a')).toBe('c');
  });

  it('waits where its source waited itself until just now', () => {
    const fleet = pulling('a', 'b', 'c');
    for (const node of ['a', 'b', 'c']) fleet.at(node, 100);
    fleet.pass(6_000, ['a', 'b', 'c']);
    fleet.at('a', 110);
    expect(fleet.ask('b', 100, 'a')).toBe('wait');
    fleet.pass(2_000, ['a', 'b', 'c']);
    fleet.at('a', 120);
    expect(fleet.ask('b', 100, 'a')).toBe('a');
    expect(fleet.rig.state.swarms.get(layer)?.troubles).toBeUndefined();
  });

  it('leaves a source that could have more and does not get on', () => {
    const fleet = pulling('a', 'b', 'c', 'd');
    fleet.at('a', 500);
    for (const node of ['b', 'd']) fleet.at(node, 100);
    fleet.pass(5_000, ['a']);
    expect(fleet.source('d')).toBe('b');
    expect(fleet.ask('d', 100)).toBe('a');
  });

  it('stays behind a source that waits itself', () => {
    const fleet = pulling('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    expect([fleet.source('h'), fleet.source('d')]).toEqual(['d', 'b']);
    fleet.at('a', 500);
    for (const node of ['b', 'd', 'h']) fleet.at(node, 100);
    fleet.pass(5_000, ['a']);
    expect(fleet.ask('h', 100, 'd')).toBe('wait');
    expect(fleet.ask('d', 100, 'b')).not.toBe('b');
    expect(fleet.ask('h', 100, 'd')).toBe('wait');
  });

  it('leaves a source at once whose connection to the service broke as well', () => {
    const fleet = pulling('a', 'b', 'c');
    for (const node of ['a', 'b', 'c']) fleet.at(node, 100);
    fleet.cut('a');
    expect(fleet.ask('b', 120, 'a')).toBe('c');
    expect(fleet.ask('c', 110, 'a')).toBe('b');
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'registry', c: 'b' });
  });

  it('leaves a source of which the service hears nothing either, and everybody with it, for all that it serves', () => {
    const fleet = createFleet({ yieldMs: 0 });
    fleet.join('a', 'b', 'c', 'd');
    for (const node of ['a', 'b', 'c']) {
      fleet.pull(node);
      fleet.pull(node, otherLayer);
    }
    fleet.pull('d');
    for (const node of ['a', 'b', 'c', 'd']) fleet.at(node, 100);
    fleet.pass(5_000, ['b', 'c', 'd']);
    expect(fleet.ask('b', 100, 'a')).toBe('wait');
    fleet.pass(1_000, ['b', 'c', 'd']);
    const asked = fleet.ask('b', 100, 'a');
    expect(readersOfRegistry(fleet)).toEqual(['a', asked === 'registry' ? 'b' : asked]);
    expect(Object.values(fleet.tree())).not.toContain('a');
    expect([fleet.source('b', otherLayer), fleet.source('c', otherLayer)].sort()).toEqual(
      expect.arrayContaining(['registry']),
    );
    expect([fleet.source('b', otherLayer), fleet.source('c', otherLayer)]).not.toContain('a');
  });

  it('does not lose its lock over it, although others of its store wait', () => {
    const fleet = pulling('a', 'b');
    fleet.rig.open('b2', { store: 'b' });
    fleet.rig.acquire('b2');
    for (let offset = 10; offset < 400; offset += 10) {
      fleet.at('a', Math.min(offset, 30));
      fleet.at('b', Math.min(offset, 30));
      fleet.pass(1_000, ['a', 'b2']);
    }
    expect(fleet.rig.told('b').filter(({ kind }) => kind === 'revoked')).toEqual([]);
    expect(fleet.rig.holder('b')).toBe('b');
  });
});

describe('who reads the registry for others', () => {
  it('and stands still for twenty seconds gives way to the most advanced of them, and reads there', () => {
    const fleet = pulling('a', 'b', 'c', 'd');
    for (const [node, offset] of Object.entries({ a: 400, b: 300, c: 350, d: 200 })) fleet.at(node, offset);
    fleet.pass(19_000, ['a', 'b', 'c', 'd']);
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'a', c: 'a', d: 'b' });
    fleet.pass(2_000, ['a', 'b', 'c', 'd']);
    expect(fleet.tree()).toEqual({ a: 'c', b: 'c', c: 'registry', d: 'b' });
    expect(['a', 'b', 'c', 'd'].map((node) => fleet.moves(node))).toEqual([1, 1, 1, 0]);
  });

  it('is left alone while it gets on, however slowly', () => {
    const fleet = pulling('a', 'b', 'c', 'd');
    for (let offset = 1; offset < 20; offset += 1) {
      for (const node of ['a', 'b', 'c', 'd']) fleet.at(node, offset);
      for (const [node, source] of Object.entries({ b: 'a', c: 'a', d: 'b' })) {
        expect(fleet.ask(node, offset, source)).toBe('wait');
      }
      fleet.pass(15_000, ['a', 'b', 'c', 'd']);
    }
    expect(['a', 'b', 'c', 'd'].map((node) => fleet.moves(node))).toEqual([0, 0, 0, 0]);
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'a', c: 'a', d: 'b' });
  });

  it('is left alone while nobody reads from it', () => {
    const fleet = pulling('a');
    fleet.join('b');
    fleet.at('a', 10);
    fleet.pass(60_000, ['a', 'b']);
    expect(fleet.pull('b')).toBe('a');
    fleet.pass(15_000, ['a', 'b']);
    expect(fleet.source('b')).toBe('a');
    fleet.pass(6_000, ['a', 'b']);
    expect(fleet.tree()).toEqual({ a: 'b', b: 'registry' });
  });

  it('is left alone once it has everything', () => {
    const fleet = pulling('a', 'b');
    fleet.at('a', total);
    fleet.pass(60_000, ['a', 'b']);
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'a' });
  });

  it('leaves them to the registry where none of them serves anything', () => {
    const fleet = createFleet();
    fleet.join('a');
    fleet.pull('a');
    fleet.rig.open('b', { store: 'b' });
    fleet.pull('b');
    fleet.pass(21_000, ['a', 'b']);
    expect(fleet.tree()).toEqual({ a: 'registry', b: 'registry' });
  });

  it.each([
    ['fails', (fleet: Fleet) => fleet.fail('a')],
    ['is closed', (fleet: Fleet) => void fleet.rig.run({ kind: 'close-session', sessionId: sessionOf('a') })],
    ['is not heard of any more', (fleet: Fleet) => fleet.pass(16_000, ['b', 'c', 'd'])],
  ])('and %s is followed by the most advanced of the others, whom they follow', (_, leave) => {
    const fleet = pulling('a', 'b', 'c', 'd');
    for (const [node, offset] of Object.entries({ a: 400, b: 300, c: 200, d: 290 })) fleet.at(node, offset);
    leave(fleet);
    fleet.pass(0, ['b', 'c', 'd']);
    expect({ b: fleet.source('b'), c: fleet.source('c'), d: fleet.source('d') }).toEqual({
      ...{ b: 'registry', c: 'b', d: 'b' },
    });
    expect(['b', 'c', 'd'].map((node) => fleet.moves(node))).toEqual([1, 1, 0]);
  });

  it('is followed by one deep in the tree where that has the most, and by the first of equals', () => {
    const fleet = pulling('a', 'b', 'c', 'd');
    for (const [node, offset] of Object.entries({ a: 400, b: 300, c: 200, d: 310 })) fleet.at(node, offset);
    fleet.fail('a');
    expect({ b: fleet.source('b'), d: fleet.source('d') }).toEqual({ b: 'd', d: 'registry' });
    const other = pulling('a', 'b', 'c');
    for (const node of ['a', 'b', 'c']) other.at(node, 50);
    other.fail('a');
    expect(other.source('b')).toBe('registry');
  });

  it('is not followed by one that may be dead as well', () => {
    const fleet = pulling('a', 'b', 'c');
    for (const [node, offset] of Object.entries({ a: 400, b: 300, c: 200 })) fleet.at(node, offset);
    fleet.cut('b');
    fleet.fail('a');
    expect({ b: fleet.source('b'), c: fleet.source('c') }).toEqual({ b: 'c', c: 'registry' });
  });

  it('is followed by one that serves others, also where one that does not has more', () => {
    const fleet = createFleet();
    fleet.join('a');
    fleet.pull('a');
    for (const node of ['b', 'c']) {
      fleet.rig.open(node, { store: node });
      fleet.pull(node);
    }
    fleet.join('d');
    fleet.pull('d');
    for (const [node, offset] of Object.entries({ a: 400, b: 300, c: 200, d: 100 })) fleet.at(node, offset);
    fleet.fail('a');
    expect(fleet.tree()).toEqual({ b: 'd', c: 'd', d: 'registry' });
  });

  it('is followed by a copy rather than by the registry', () => {
    const fleet = pulling('a', 'b');
    fleet.join('c');
    fleet.say('c', { announce: { add: [layer] } });
    fleet.at('b', 30);
    fleet.fail('a');
    expect(fleet.source('b')).toBe('c');
  });

  it('and was stopped reads, once it goes on, from those who read in its place', () => {
    const fleet = pulling('a', 'b', 'c', 'd');
    for (const [node, offset] of Object.entries({ a: 400, b: 300, c: 200, d: 290 })) fleet.at(node, offset);
    fleet.pass(5_500, ['b', 'c', 'd']);
    fleet.ask('b', 300, 'a');
    fleet.ask('c', 200, 'a');
    expect(readersOfRegistry(fleet)).toEqual(['a', 'b']);
    fleet.pass(1_000, ['b', 'c', 'd']);
    expect(readersOfRegistry(fleet)).toEqual(['b']);
    expect(fleet.moves('a')).toBe(1);
  });

  it('and is heard of reads on there, although nobody may read from it', () => {
    const fleet = pulling('a', 'b', 'c');
    fleet.at('a', 400);
    fleet.ask('b', 300, 'a');
    fleet.ask('c', 200, 'a');
    fleet.pass(20_000, ['a', 'b', 'c']);
    expect(fleet.source('a')).toBe('registry');
    expect(fleet.moves('a')).toBe(0);
  });

  it('hears of somebody who has more when it asks', () => {
    const fleet = pulling('a', 'b');
    fleet.join('c');
    expect(fleet.ask('a', 10)).toBe('registry');
    fleet.say('c', { announce: { add: [layer] } });
    expect(fleet.ask('a', 10)).toBe('c');
    expect(fleet.source('b')).toBe('a');
  });
});

describe('a session that was lost', () => {
  it('is no source for a minute once it is back, and reads from others', () => {
    const fleet = pulling('a', 'b');
    fleet.pass(16_000, ['b']);
    fleet.join('a', 'c', 'd');
    fleet.say('a', { announce: { add: [layer] } });
    expect(fleet.pull('c')).toBe('b');
    fleet.pass(60_000, ['a', 'b', 'c', 'd']);
    expect(fleet.pull('d')).toBe('a');
    fleet.pass(1_000, ['a']);
    expect(fleet.rig.state.lostSessions.size).toBe(0);
  });

  it('leaves nothing behind', () => {
    const fleet = pulling('a', 'b', 'c');
    fleet.at('a', 10);
    fleet.ask('b', 5, 'a');
    for (const node of ['a', 'b', 'c']) {
      fleet.rig.run({ kind: 'close-session', sessionId: sessionOf(node) });
    }
    expect(fleet.rig.state.swarms.size).toBe(0);
  });
});

describe('whoever asks where to read', () => {
  it('must be known, and hold the lock under that token', () => {
    const fleet = pulling('a');
    const token = fleet.rig.state.nextToken;
    const request = { sessionId: sessionOf('a'), resourceId: layer, token, offset: 0 };
    expect(fleet.rig.run({ kind: 'sources', request })).toMatchObject({ kind: 'not-holder' });
    const unknown = { ...request, sessionId: sessionOf('nobody') };
    expect(fleet.rig.run({ kind: 'sources', request: unknown })).toEqual({ kind: 'unknown-session' });
  });

  it('and brought its lock over a restart is known to read from whom it complains of', () => {
    const fleet = createFleet({ recoveryMs: 1_000 });
    for (const [index, node] of ['a', 'b'].entries()) {
      fleet.joinAs(node, { isReturning: true });
      fleet.bringBack(node, 100 + index);
    }
    fleet.rig.pass(1_500);
    expect(fleet.ask('b', 10, 'a')).toBe('wait');
    fleet.at('a', 15);
    fleet.pass(2_000, ['a', 'b']);
    fleet.at('a', 20);
    expect(fleet.ask('b', 10, 'a')).toBe('a');
  });

  it('and brought its lock over a restart finds a place, and makes no circle', () => {
    const fleet = createFleet({ recoveryMs: 1_000 });
    const nodes = ['a', 'b', 'c'];
    for (const [index, node] of nodes.entries()) {
      fleet.joinAs(node, { isReturning: true });
      fleet.bringBack(node, 100 + index);
    }
    fleet.rig.pass(1_500);
    for (const node of nodes) expect(fleet.ask(node, 200)).toMatch(/registry|wait|a|b|c/);
    for (const node of nodes) fleet.ask(node, 200);
    expect(Object.values(fleet.tree()).filter((source) => source === 'registry')).toHaveLength(1);
  });
});
