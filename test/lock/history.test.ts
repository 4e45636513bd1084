import { describe } from 'vitest';
import { checkResource } from '../support/history/checker.ts';
import { type Played, playRound, type RoundOptions, roundTimes } from '../support/history/round.ts';
import { checkTokens } from '../support/history/tokens.ts';
import { soak } from '../support/soak.ts';
import { tempDir } from '../support/temp.ts';

const servers: Record<string, Omit<RoundOptions, 'seed'>> = {
  'in memory': { serverArgs: () => ['--ephemeral'], restarts: 'none' },
  'in memory that is killed': { serverArgs: () => ['--ephemeral'], restarts: 'forgotten' },
  'that keeps its state and is killed': { serverArgs: () => ['--data', tempDir()], restarts: 'kept' },
};

/** What no order explains. */
function problemsOf({ histories }: Played): string[] {
  const problems = histories.flatMap((history) => {
    const verdict = checkResource(history, { times: roundTimes });
    if (verdict.kind === 'too long') return [`${history.name}: the search took too long`];
    return verdict.kind === 'unexplained' ? [verdict.explanation] : [];
  });
  return [...problems, ...checkTokens(histories)];
}

describe.each(Object.entries(servers))('what clients see of a server %s', (_, options) => {
  soak(
    'can be explained by an order in which it keeps its promises',
    async (seed) => {
      const played = await playRound({ seed, ...options });
      const problems = problemsOf(played);
      if (problems.length > 0) throw new Error([...problems, 'faults:', ...played.faults].join('\n'));
    },
    1 / Object.keys(servers).length,
  );
});
