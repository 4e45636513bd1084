import { describe, expect, it } from 'vitest';
import { createFleet, type Fleet, total } from './fleet.ts';
import { layer } from './support.ts';

/** The liar has two readers, and each of these has two. */
function setUp(...more: string[]): Fleet {
  const fleet = createFleet();
  const nodes = ['a', 'b', 'c', 'd', 'e', 'f', ...more];
  fleet.join('liar', ...nodes);
  fleet.say('liar', { announce: { add: [layer] } });
  for (const node of nodes) fleet.pull(node);
  expect(fleet.tree()).toMatchObject({ a: 'liar', b: 'liar', c: 'a', d: 'b', e: 'a', f: 'b' });
  for (const node of nodes) fleet.at(node, total);
  return fleet;
}

const readers = (fleet: Fleet) =>
  Object.values(fleet.tree()).filter((source) => source === 'registry').length;

describe('a copy with wrong bytes', () => {
  it('sends the first that reports it to the registry, and not to others that read it', () => {
    const fleet = setUp();
    expect(fleet.again('a', { liar: 'liar' })).toBe('registry');
    fleet.at('a', 100);
    expect(fleet.again('b', { liar: 'liar' })).toBe('a');
    expect(readers(fleet)).toBe(1);
  });

  it('has those who read it at second hand begin again where they were, once that has more', () => {
    const fleet = setUp();
    fleet.again('a', { liar: 'liar' });
    expect(fleet.again('c', { restarts: 1 })).toBe('wait');
    fleet.at('a', 100);
    expect(fleet.again('c', { restarts: 1 })).toBe('a');
    expect(fleet.again('e', { restarts: 1 })).toBe('a');
  });

  it('is given to nobody any more once two stores have reported it', () => {
    const fleet = setUp('g', 'h');
    fleet.again('a', { liar: 'liar' });
    fleet.again('b', { liar: 'liar' });
    fleet.join('z');
    expect(fleet.pull('z')).not.toBe('liar');
    fleet.pass(61_000, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'liar', 'z']);
    for (const node of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'z']) fleet.fail(node);
    expect(fleet.pull('z')).toBe('liar');
  });

  it('moves nobody who still reads it: right bytes behind wrong ones would be lost', () => {
    const fleet = createFleet({ fanOut: 3 });
    fleet.join('liar', 'a', 'b', 'c', 'd');
    fleet.say('liar', { announce: { add: [layer] } });
    for (const node of ['a', 'b', 'c', 'd']) fleet.pull(node);
    for (const node of ['a', 'b']) fleet.at(node, total);
    fleet.at('c', 600);
    fleet.again('a', { liar: 'liar' });
    fleet.again('b', { liar: 'liar' });
    expect(fleet.source('c')).toBe('liar');
    expect(fleet.moves('c')).toBe(0);
    fleet.at('c', total);
    expect(fleet.again('c', { liar: 'liar' })).toBe('wait');
    fleet.at('a', 10);
    expect(fleet.again('c', { liar: 'liar' })).toBe('a');
  });

  it('counts also as reported by one that was sent elsewhere meanwhile', () => {
    const fleet = setUp();
    fleet.say('liar', { draining: true });
    expect(fleet.ask('a', total, 'liar')).not.toBe('liar');
    fleet.say('liar', { draining: false });
    fleet.again('a', { liar: 'liar' });
    fleet.again('b', { liar: 'liar' });
    fleet.join('z');
    expect(fleet.pull('z')).not.toBe('liar');
  });
});

describe('a reader that had wrong bytes at second hand', () => {
  it('reads from nobody who has all bytes and has not found out yet that they are wrong', () => {
    const fleet = setUp();
    expect(fleet.again('c', { restarts: 1 })).toBe('liar');
    fleet.again('a', { liar: 'liar' });
    expect(fleet.again('c', { restarts: 1 })).toBe('wait');
    expect(fleet.rig.state.swarms.get(layer)?.members.size).toBe(7);
    expect(readers(fleet)).toBe(1);
  });

  it('believes one other that a copy is wrong', () => {
    const fleet = setUp();
    fleet.again('a', { liar: 'liar' });
    fleet.at('a', 100);
    expect(fleet.again('d', { restarts: 1 })).toBe('a');
  });

  it('takes what is complete after the second time, else the registry, or waits for the two that read it', () => {
    const fleet = setUp();
    for (const node of ['a', 'b']) fleet.again(node, { liar: 'liar' });
    const wary = ['c', 'd', 'e', 'f'].map((node) => fleet.again(node, { restarts: 2 }));
    expect(wary).toEqual(['registry', 'wait', 'wait', 'wait']);
    expect(readers(fleet)).toBe(2);
    fleet.at('a', 500);
    expect(fleet.again('d', { restarts: 2 })).toBe('wait');
    fleet.done('a');
    expect(['d', 'e', 'f'].map((node) => fleet.again(node, { restarts: 2 }))).toEqual(['a', 'a', 'a']);
  });

  it('does not wait for readers of the registry that are gone', () => {
    const fleet = setUp();
    for (const node of ['a', 'b']) fleet.again(node, { liar: 'liar' });
    for (const node of ['c', 'd']) fleet.again(node, { restarts: 2 });
    fleet.fail('a', 'content');
    fleet.fail('c', 'content');
    expect(fleet.again('d', { restarts: 2 })).toBe('registry');
    expect(readers(fleet)).toBe(1 + Number(fleet.source('b') === 'registry'));
  });

  it('begins its next pull without suspicion', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    for (const node of ['a', 'b']) fleet.pull(node);
    fleet.at('a', 100);
    expect(fleet.again('b', { restarts: 2 })).toBe('registry');
    fleet.fail('b');
    expect(fleet.pull('b')).toBe('a');
  });

  it('leaves those that have bytes of its own from before out when it goes to the registry', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    for (const node of ['a', 'b', 'c']) fleet.pull(node);
    expect(fleet.tree()).toMatchObject({ a: 'registry', b: 'a', c: 'a' });
    fleet.fail('a', 'content');
    for (const node of ['b', 'c']) fleet.at(node, total);
    const first = fleet.again('b', { restarts: 1 });
    const second = fleet.again('c', { restarts: 1 });
    expect([first, second].sort()).toEqual(['registry', 'wait']);
  });
});
