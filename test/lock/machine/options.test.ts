import { describe, expect, it } from 'vitest';
import { type MachineOptions, machineOptions } from '../../../src/lock/machine/options.ts';

describe('the bounds of the lock service', () => {
  it('have the defaults of the design', () => {
    expect(machineOptions()).toMatchObject({
      ...{ ttlMs: 15_000, heartbeatMs: 5_000, graceMs: 5_000, claimMs: 10_000 },
      ...{ leaseMs: 600_000, placeMs: 15_000, completionMs: 600_000, maxRecords: 100_000 },
      ...{ originStallMs: 20_000, banMs: 60_000, yieldMs: 50, fanOut: 2, maxCopies: 100_000 },
    });
  });

  it.each<[Partial<MachineOptions>, string]>([
    [{ heartbeatMs: 8_000 }, 'heartbeatMs'],
    [{ graceMs: 16_000 }, 'graceMs'],
    [{ claimMs: 5_000 }, 'claimMs'],
    [{ leaseMs: 9_000 }, 'leaseMs'],
    [{ ttlMs: Number.NaN }, 'ttlMs'],
    [{ maxQueue: 0 }, 'maxQueue'],
    [{ placeMs: 1.5 }, 'placeMs'],
    [{ recoveryMs: -1 }, 'recoveryMs'],
    [{ originStallMs: 5_000 }, 'originStallMs'],
    [{ yieldMs: 5_000 }, 'yieldMs'],
    [{ yieldMs: 0.5 }, 'yieldMs'],
    [{ fanOut: 0 }, 'fanOut'],
    [{ banMs: 0 }, 'banMs'],
  ])('are rejected where they contradict each other: %j', (given, named) => {
    expect(() => machineOptions(given)).toThrow(named);
  });
});
