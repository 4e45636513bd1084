import { createHash, randomInt } from 'node:crypto';
import fc from 'fast-check';
import { it } from 'vitest';
import { patienceMs } from './patience.ts';
import { soakSeconds } from './soak-seconds.ts';

/** What chance begins with; `--seed N` repeats a run. */
const firstSeed = Number(process.env['SOAK_SEED'] || randomInt(2 ** 31));

/**
 * A test whose rounds have other seeds, until its share of the suite's time is up. The seed of a round that fails is in
 * its error.
 */
export function soak(name: string, round: (seed: number) => Promise<void> | void, share = 1): void {
  const seconds = soakSeconds * share;
  const timeout = seconds * 3_000 + 300_000;
  it(name, { timeout }, async () => {
    // Of a run that is killed there is no error to read it from.
    console.log(`${name}: ${seconds.toFixed()} s from seed ${firstSeed} on`);
    const endMs = performance.now() + seconds * 1_000;
    for (let seed = firstSeed; ; seed += 1) {
      await withSeed(seed, () => round(seed));
      if (performance.now() >= endMs) return;
    }
  });
}

async function withSeed(seed: number, round: () => Promise<void> | void): Promise<void> {
  try {
    await round();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\n(repeat it with: npm test -- --seed ${seed})`, { cause: error });
  }
}

/** For properties that wait for nothing: as many runs as fit into a part of the suite's time. A failure prints its own seed. */
export function soakRuns(share = 1) {
  return {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: soakSeconds * 1_000 * share,
    ...(process.env['SOAK_SEED'] ? { seed: firstSeed } : {}),
  };
}

/**
 * A property that waits for something: one run, however long a busy machine takes for it, and then as many as fit into
 * a part of the suite's time. A failure prints its own seed.
 */
export async function soakProperty<T>(property: fc.IAsyncProperty<T>, share = 1): Promise<void> {
  const runs = soakRuns(share);
  await fc.assert(property, { ...runs, numRuns: 1, interruptAfterTimeLimit: patienceMs });
  const details = await fc.check(property, runs);
  const hadNoTime = details.interrupted && details.numRuns === 0;
  if (!details.failed || hadNoTime) return;
  throw new Error(await fc.asyncDefaultReportMessage(details), { cause: details.errorInstance });
}

/** Numbers in [0, 1) that follow from a seed. */
export function randomFrom(seed: number): () => number {
  let count = 0;
  return () => {
    count += 1;
    return createHash('sha256').update(`${seed} ${count}`).digest().readUInt32BE(0) / 2 ** 32;
  };
}
