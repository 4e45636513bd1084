import fc from 'fast-check';
import { brokenText } from './faults/bodies.ts';
import type { Fault } from './faults/fault.ts';
import { wrongFields } from './faults/fields.ts';
import { brokenHttp, wrongPlaces } from './faults/places.ts';
import { anyFault } from './faults/random.ts';

/** `count` distinct faulty requests; the same ones for the same seed. */
export function faultyRequests(seed: number, count: number): Fault[] {
  const distinct = new Map<string, Fault>();
  const add = (fault: Fault) => {
    if (distinct.size < count) distinct.set(fault.bytes.toString('latin1'), fault);
  };
  for (const fault of [...brokenHttp(), ...brokenText(), ...wrongPlaces(), ...wrongFields()]) add(fault);
  for (let round = 0; distinct.size < count; round += 1) {
    for (const fault of fc.sample(anyFault, { seed: seed + round, numRuns: count })) add(fault);
  }
  return [...distinct.values()];
}
