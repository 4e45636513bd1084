import { describe } from 'vitest';
import { expectExplained } from '../support/history/problems.ts';
import type { RoundOptions } from '../support/history/round.ts';
import { soak } from '../support/soak.ts';
import { tempDir } from '../support/temp.ts';

const servers: Record<string, Omit<RoundOptions, 'seed'>> = {
  'in memory': { service: () => ({ args: ['--ephemeral'] }), restarts: 'none' },
  'in memory that is killed': { service: () => ({ args: ['--ephemeral'] }), restarts: 'forgotten' },
  'that keeps its state and is killed': {
    service: () => ({ args: ['--data', tempDir()] }),
    restarts: 'kept',
  },
};

describe.each(Object.entries(servers))('what clients see of a server %s', (_, options) => {
  soak(
    'can be explained by an order in which it keeps its promises',
    (seed) => expectExplained({ seed, ...options }),
    1 / Object.keys(servers).length,
  );
});
