import { rmSync } from 'node:fs';
import path from 'node:path';
import { pushImage } from '../../test/support/images.ts';
import type { RealRegistry } from '../../test/support/real-registry.ts';
import { tempDir } from '../../test/support/temp.ts';
import { type Measurement, measure } from '../lib/measure.ts';
import { type Contender, layerpull, skopeo } from './contenders.ts';
import type { Scenario } from './scenarios.ts';

/** What two programs took for the same image, run by run. */
export interface SideBySide {
  readonly layerpull: readonly Measurement[];
  readonly skopeo: readonly Measurement[];
}

/** Alternates: who goes first changes, so that a warm file cache favours nobody. */
export async function pullSideBySide(
  registry: RealRegistry,
  { layers }: Scenario,
  runs: number,
): Promise<SideBySide> {
  const { reference } = await pushImage(registry, 'bench/image', { layers });
  const dir = tempDir();
  const results: Record<keyof SideBySide, Measurement[]> = { layerpull: [], skopeo: [] };
  const pull = async (name: keyof SideBySide, contender: Contender) => {
    const into = path.join(dir, name);
    results[name].push(await measure(contender.command(reference, into)));
    rmSync(into, { recursive: true, force: true });
  };
  for (let run = 0; run < runs; run += 1) {
    if (run % 2 === 0) await pull('layerpull', layerpull);
    await pull('skopeo', skopeo);
    if (run % 2 === 1) await pull('layerpull', layerpull);
  }
  return results;
}

/** Pulls of an image that is there, and what they asked the registry. */
export interface Present {
  readonly runs: readonly Measurement[];
  /** Such as `HEAD /v2/bench/present/manifests/latest`, of the last run. */
  readonly requests: readonly string[];
}

export async function pullPresent(registry: RealRegistry, runs: number): Promise<Present> {
  const { reference } = await pushImage(registry, 'bench/present', { layers: Array(20).fill(100_000) });
  const command = layerpull.command(reference, path.join(tempDir(), 'present'));
  await measure(command);
  const measured: Measurement[] = [];
  for (let run = 0; run < runs; run += 1) {
    await registry.clearLog();
    measured.push(await measure(command));
  }
  const log = await registry.accessLog();
  return { runs: measured, requests: log.map((entry) => `${entry.method} ${entry.path}`) };
}
