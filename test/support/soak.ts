import { createHash, randomInt } from 'node:crypto';
import { it } from 'vitest';
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

/** For fast-check: as many runs as fit into a part of the suite's time. A failure prints its own seed. */
export function soakRuns(share = 1) {
  return {
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: soakSeconds * 1_000 * share,
    ...(process.env['SOAK_SEED'] ? { seed: firstSeed } : {}),
  };
}

/** Numbers in [0, 1) that follow from a seed. */
export function randomFrom(seed: number): () => number {
  let count = 0;
  return () => {
    count += 1;
    return createHash('sha256').update(`${seed} ${count}`).digest().readUInt32BE(0) / 2 ** 32;
  };
}
