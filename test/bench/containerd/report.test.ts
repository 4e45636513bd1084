import { expect, test } from 'vitest';
import { type ContainerdOptions, type JobName, parseOptions } from '../../../bench/lib/containerd/options.ts';
import { formatSamples } from '../../../bench/lib/containerd/report.ts';
import type { Sample } from '../../../bench/lib/containerd/rounds.ts';

function optionsFor(job: JobName): ContainerdOptions {
  const options = parseOptions(['--only', job]);
  if (!options) throw new Error('no options');
  return options;
}

/** Runs of a job, by their wall times in milliseconds. */
function report(job: JobName, own: number[], plugin: number[]): string {
  const runs = (all: number[]): Sample[] => all.map((wallMs) => ({ wallMs, cpuMs: 1, peakBytes: undefined }));
  const none = { own: [], plugin: [] };
  const samples = { fetch: none, get: none, pull: none, [job]: { own: runs(own), plugin: runs(plugin) } };
  return formatSamples(samples, optionsFor(job));
}

test('the medians of both stores are held against the aim of a job', () => {
  const met = report('fetch', [1_000, 900, 5_000], [1_300, 9_000, 100]);
  expect(met).toContain('1.00 s (900 ms to 5.00 s)');
  expect(met).toContain('1.30x');
  expect(met).toContain('aim at most 1.30x: met');
  expect(report('fetch', [1_000], [1_310])).toContain('aim at most 1.30x: MISSED');
});

test('of reading, speeds are compared', () => {
  expect(report('get', [100], [400])).toContain('speed 0.25 of own, aim at least 0.25: met');
  expect(report('get', [100], [500])).toContain('speed 0.20 of own, aim at least 0.25: MISSED');
});

test('a pull with unpacking has no aim', () => {
  expect(report('pull', [100], [500])).not.toContain('aim');
});
