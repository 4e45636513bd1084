import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { soakRuns } from '../support/soak.ts';
import { FleetWithLiars, pieces, stepMs } from './sources/liars.ts';

const reader = fc.record({
  rate: fc.integer({ min: 1, max: 20 }),
  verifying: fc.nat(12),
  startsAt: fc.nat(60),
});
const readers = fc.array(reader, { minLength: 1, maxLength: 10 });
const limit = 600_000 / stepMs;

function play(fleet: FleetWithLiars): number {
  for (let steps = 0; steps < limit; steps += 1) {
    if (fleet.isOver) return steps;
    fleet.step();
  }
  throw new Error(`still pulling: ${JSON.stringify(fleet.fleet.tree())}`);
}

describe('nodes that pull beside peers with wrong bytes', () => {
  it('all get the right bytes in the end, for two readers of the registry at most, and two images', () => {
    fc.assert(
      fc.property(readers, fc.nat(2), (setups, liars) => {
        const fleet = new FleetWithLiars(setups, liars);
        play(fleet);
        expect(fleet.mostReaders).toBeLessThanOrEqual(2);
        expect(fleet.asked).toBeLessThanOrEqual(2 * pieces);
      }),
      soakRuns(0.4),
    );
  });

  it('all find out for themselves that the registry is wrong too, two at a time', () => {
    fc.assert(
      fc.property(readers, fc.nat(1), (setups, liars) => {
        const fleet = new FleetWithLiars(setups, liars, false);
        play(fleet);
        expect(fleet.readers.map(({ life }) => life)).toEqual(setups.map(() => 'failed'));
        expect(fleet.mostReaders).toBeLessThanOrEqual(2);
      }),
      soakRuns(0.2),
    );
  });
});
