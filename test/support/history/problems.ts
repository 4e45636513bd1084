import { checkResource } from './checker.ts';
import { type Played, playRound, type RoundOptions, roundTimes } from './round.ts';
import { checkTokens } from './tokens.ts';

/** While a service is away nobody is answered, and what was asked then may have happened at any time since. */
const maxSteps = 400_000;

/** What no order explains. */
function problemsOf({ histories }: Played): string[] {
  const problems = histories.flatMap((history) => {
    const verdict = checkResource(history, { times: roundTimes, maxSteps });
    if (verdict.kind === 'too long') return [`${history.name}: the search took too long`];
    return verdict.kind === 'unexplained' ? [verdict.explanation] : [];
  });
  return [...problems, ...checkTokens(histories)];
}

/** Plays a round. @throws Error with what no order explains, and what had gone wrong */
export async function expectExplained(options: RoundOptions): Promise<void> {
  const played = await playRound(options);
  const problems = problemsOf(played);
  if (problems.length > 0) throw new Error([...problems, 'faults:', ...played.faults].join('\n'));
}
