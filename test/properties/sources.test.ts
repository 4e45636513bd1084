import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { soakRuns } from '../support/soak.ts';
import { checkTree, expectThat, readersOf } from './sources/checks.ts';
import { type Node, SimulatedFleet, stepMs, total } from './sources/fleet.ts';

const secondsMs = 1_000 / stepMs;
const rest = { zone: fc.nat(1), rate: fc.integer({ min: 2, max: 200 }) };
const setup = fc.record({ serves: fc.boolean(), hears: fc.boolean(), ...rest });
const serving = fc.record({ serves: fc.constant(true), hears: fc.constant(true), ...rest });
const someNodes = (node: typeof setup) => fc.array(node, { minLength: 2, maxLength: 8 });
const who = fc.nat(7);

interface Incident {
  readonly kind: 'start' | 'kill' | 'freeze' | 'thaw' | 'close' | 'drain';
  readonly who: number;
  readonly atStep: number;
}

const incident: fc.Arbitrary<Incident> = fc.record({
  kind: fc.constantFrom('start', 'start', 'kill', 'freeze', 'thaw', 'close', 'drain'),
  who,
  atStep: fc.nat(120),
});
/** The registry gives nothing from a step on, for so many steps. */
const pause = fc.tuple(fc.nat(120), fc.nat(25 * secondsMs));

const at = (fleet: SimulatedFleet, index: number): Node | undefined =>
  fleet.nodes[index % fleet.nodes.length];

function startAll(fleet: SimulatedFleet): void {
  for (const node of fleet.nodes) fleet.start(node);
}

/** Goes on until nobody pulls any more; whoever is frozen does not count. */
function finish(fleet: SimulatedFleet, bytes: number): void {
  for (let left = 900 * secondsMs; fleet.nodes.some(({ life }) => life === 'pulling'); left -= 1) {
    fleet.pass(bytes);
    checkTree(fleet);
    expectThat(left > 0, `still pulling: ${JSON.stringify(fleet.nodes)}`);
  }
}

describe('a fleet that shares a layer, whatever happens', () => {
  it('has no circle, tells every holder where to read, and all who are left get everything', () => {
    fc.assert(
      fc.property(
        someNodes(setup),
        fc.array(fc.tuple(who, who), { maxLength: 10 }),
        fc.array(incident, { maxLength: 25 }),
        fc.array(pause, { maxLength: 2 }),
        (nodes, blocked, incidents, pauses) => {
          const fleet = new SimulatedFleet(nodes, blocked);
          for (let now = 0; now <= 120; now += 1) {
            for (const { kind, who: index, atStep } of incidents) {
              const node = at(fleet, index);
              if (node && atStep === now) fleet[kind](node);
              checkTree(fleet);
            }
            const isPaused = pauses.some(([from, length]) => now >= from && now < from + length);
            fleet.pass(isPaused ? 0 : 5);
            checkTree(fleet);
          }
          for (const node of fleet.nodes) fleet.thaw(node);
          startAll(fleet);
          finish(fleet, 20);
        },
      ),
      soakRuns(0.4),
    );
  });
});

describe('a fleet of which every node serves and reaches every other', () => {
  it('asks the registry once, with one reader, and moves nobody, however slow the registry is', () => {
    fc.assert(
      fc.property(
        someNodes(serving),
        fc.array(fc.tuple(fc.nat(19 * secondsMs), fc.integer({ min: 1, max: 60 })), { maxLength: 30 }),
        (nodes, bursts) => {
          const fleet = new SimulatedFleet(nodes);
          startAll(fleet);
          for (const [silent, bytes] of bursts) {
            for (let left = silent; left > 0; left -= 1) fleet.pass(0);
            fleet.pass(bytes);
            checkTree(fleet);
          }
          finish(fleet, 10);
          expectThat(fleet.asked === total, `the registry was asked for ${fleet.asked}`);
          const moves = fleet.nodes.reduce((sum, node) => sum + node.moves, 0);
          expectThat(moves === 0, `${moves} moves`);
        },
      ),
      soakRuns(0.2),
    );
  });

  it('has two readers of the registry at most, whoever dies, stops or leaves', () => {
    fc.assert(
      fc.property(someNodes(serving), fc.array(incident, { maxLength: 20 }), (nodes, incidents) => {
        const fleet = new SimulatedFleet(nodes);
        for (let now = 0; now <= 120; now += 1) {
          for (const { kind, who: index, atStep } of incidents) {
            const node = at(fleet, index);
            if (node && atStep === now && kind !== 'drain') fleet[kind](node);
          }
          fleet.pass(5);
          checkTree(fleet);
          expectThat(readersOf(fleet) <= 2, `${readersOf(fleet)} read the registry`);
        }
      }),
      soakRuns(0.2),
    );
  });

  it('asks the registry, when a node is killed on the way, at most for what the most advanced of the others lacks', () => {
    fc.assert(
      fc.property(someNodes(serving), who, fc.integer({ min: 1, max: 99 }), (nodes, index, percent) => {
        const fleet = new SimulatedFleet(nodes);
        startAll(fleet);
        const victim = at(fleet, index);
        while (victim && victim.offset < (total * percent) / 100) fleet.pass(10);
        const before = fleet.asked;
        if (victim) fleet.kill(victim);
        const others = fleet.nodes.filter((node) => node !== victim);
        const most = Math.max(...others.map(({ toldOffset }) => toldOffset));
        finish(fleet, 10);
        const after = fleet.asked - before;
        expectThat(after <= total - most, `asked for ${after}, and ${most} was there`);
      }),
      soakRuns(0.2),
    );
  });
});

describe('eight nodes', () => {
  const eight = Array.from({ length: 8 }, () => ({ serves: true, hears: true, zone: 0, rate: 50 }));
  const play = (disturb: (fleet: SimulatedFleet) => void) => {
    const fleet = new SimulatedFleet(eight);
    startAll(fleet);
    while (fleet.asked < total * 0.7) fleet.pass(5);
    disturb(fleet);
    finish(fleet, 5);
    return { asked: fleet.asked, seconds: fleet.nowMs / 1_000 };
  };
  const undisturbed = play(() => {});

  it('ask the registry for the layer once, in the time that it takes the registry', () => {
    expect(undisturbed.asked).toBe(total);
    expect(undisturbed.seconds).toBeLessThan((total / 5) * (stepMs / 1_000) + 2);
  });

  it.each(['kill', 'close'] as const)('of which the reader of the registry is gone at 70 %%: %s', (how) => {
    const { asked, seconds } = play((fleet) => fleet[how](fleet.nodes[0] ?? never()));
    // What it had read in the last second may be lost with it.
    expect(asked).toBeLessThanOrEqual(total * 1.03);
    expect(seconds).toBeLessThan(undisturbed.seconds + 5);
  });

  it('of which the reader of the registry is stopped at 70 % lose no more time than its session lasts', () => {
    const { asked, seconds } = play((fleet) => fleet.freeze(fleet.nodes[0] ?? never()));
    expect(asked).toBeLessThanOrEqual(total * 1.03);
    expect(seconds).toBeLessThan(undisturbed.seconds + 18);
  });

  it('of which the reader of the registry is stopped at 70 % and goes on soon asks the registry for nothing more', () => {
    const fleet = new SimulatedFleet(eight);
    startAll(fleet);
    while (fleet.asked < total * 0.7) fleet.pass(5);
    const first = fleet.nodes[0] ?? never();
    fleet.freeze(first);
    // Before its session is lost.
    finish(fleet, 20);
    const before = fleet.asked;
    fleet.thaw(first);
    finish(fleet, 5);
    expect(fleet.asked).toBe(before);
    expect(first.life).toBe('done');
  });

  it('of which one in the middle is stopped at 70 % lose no more than the silence that they notice', () => {
    const { asked, seconds } = play((fleet) => fleet.freeze(fleet.nodes[1] ?? never()));
    expect(asked).toBe(total);
    expect(seconds).toBeLessThan(undisturbed.seconds + 6);
  });
});

function never(): never {
  throw new Error('there is no such node');
}
