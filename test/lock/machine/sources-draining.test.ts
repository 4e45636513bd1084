import { describe, expect, it } from 'vitest';
import { createFleet } from './fleet.ts';
import { layer, otherLayer, sessionOf } from './support.ts';

describe('a copy of a node that drains', () => {
  it('is nobody’s, but theirs who read it already', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    fleet.say('a', { announce: { add: [layer] } });
    fleet.pull('b');
    fleet.say('a', { draining: true });
    expect(fleet.source('b')).toBe('a');
    expect(fleet.pull('c')).toBe('b');
  });

  it('is, once it takes that back, for everybody again', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    fleet.say('a', { announce: { add: [layer] }, draining: true });
    fleet.say('a', { draining: false });
    expect(fleet.pull('b')).toBe('a');
  });

  it('is for those who have begun and lost their source, rather than the registry', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c', 'd');
    fleet.say('a', { announce: { add: [layer] }, draining: true });
    expect(fleet.pull('b')).toBe('registry');
    expect(fleet.pull('c')).toBe('b');
    fleet.at('b', 300);
    fleet.cut('b');
    expect(fleet.ask('c', 200, 'b')).toBe('a');
    fleet.rig.run({ kind: 'close-session', sessionId: sessionOf('b') });
    fleet.fail('c');
    expect(fleet.pull('d')).toBe('registry');
  });

  it('is for whoever cannot reach the registry and asks for a peer', () => {
    const fleet = createFleet();
    fleet.join('a', 'b');
    fleet.say('a', { announce: { add: [layer] }, draining: true });
    expect(fleet.pull('b')).toBe('registry');
    expect(fleet.ask('b', 0)).toBe('a');
  });

  it('that is not heard of, or served badly, is nobody’s', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    fleet.say('a', { announce: { add: [layer] }, draining: true });
    expect(fleet.pull('b')).toBe('registry');
    fleet.at('b', 300);
    expect(fleet.ask('b', 300)).toBe('a');
    expect(fleet.ask('b', 300, 'a')).toBe('registry');
    expect(fleet.pull('c')).toBe('b');
    fleet.pass(6_500, ['b', 'c']);
    fleet.at('c', 100);
    fleet.fail('b');
    expect(fleet.source('c')).toBe('registry');
  });

  it('is taken from whoever serves the fewest, where there are several', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c', 'd');
    for (const node of ['a', 'b']) fleet.say(node, { announce: { add: [layer, otherLayer] } });
    expect(fleet.pull('c', otherLayer)).toBe('a');
    for (const node of ['a', 'b']) fleet.say(node, { draining: true });
    expect(fleet.pull('d')).toBe('registry');
    expect(fleet.ask('d', 0)).toBe('b');
  });
});

describe('a node that drains', () => {
  it('waits for none of which nothing is heard', () => {
    const fleet = createFleet();
    fleet.join('a', 'b', 'c');
    for (const node of ['a', 'b', 'c']) fleet.pull(node);
    const children = () => {
      const reply = fleet.rig.renew('a');
      return reply.kind === 'snapshot' ? reply.snapshot.children : reply.kind;
    };
    fleet.pass(6_000, ['a', 'c']);
    expect(children()).toBe(2);
    fleet.say('a', { draining: true });
    expect(children()).toBe(1);
    fleet.at('b', 10);
    expect(children()).toBe(2);
  });
});
