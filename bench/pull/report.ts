import type { Measurement } from '../lib/measure.ts';
import { formatMib, formatMs, median, ratio } from '../lib/numbers.ts';
import { formatTable } from '../lib/table.ts';
import type { Present, SideBySide } from './rounds.ts';
import { presentAimMs, type Scenario } from './scenarios.ts';

export function reportSideBySide(scenario: Scenario, results: SideBySide): string {
  const totalBytes = scenario.layers.reduce((sum, bytes) => sum + bytes, 0);
  const ours = summarise(results.layerpull);
  const theirs = summarise(results.skopeo);
  const row = (name: string, one: Summary) => [
    name,
    `${formatMs(one.wallMs)} (${one.range})`,
    ratio(one.wallMs, theirs.wallMs),
    `${formatMib((totalBytes / one.wallMs) * 1_000)}/s`,
    formatMib(one.peakBytes),
  ];
  const table = formatTable([
    [scenario.name, 'wall time', 'of skopeo', 'rate', 'peak memory'],
    row('layerpull', ours),
    row('skopeo', theirs),
  ]);
  return `${table}${aims(scenario, ours.wallMs / theirs.wallMs, ours.peakBytes)}\n`;
}

function aims({ wallAim, peakAimBytes }: Scenario, wall: number, peakBytes: number): string {
  const lines = [];
  if (wallAim !== undefined) lines.push(`aim at most ${wallAim.toFixed(2)}x: ${verdict(wall <= wallAim)}`);
  if (peakAimBytes !== undefined)
    lines.push(`aim at most ${formatMib(peakAimBytes)}: ${verdict(peakBytes <= peakAimBytes)}`);
  return lines.length > 0 ? `${lines.join(', ')}\n` : '';
}

export function reportPresent({ runs, requests }: Present): string {
  const { wallMs, range } = summarise(runs);
  const once = requests.length === 1 && requests[0]?.startsWith('HEAD ') === true;
  return [
    `pull of an image that is there: ${formatMs(wallMs)} (${range}), aim at most ${formatMs(presentAimMs)}: ${verdict(wallMs <= presentAimMs)}`,
    `  asked of the registry: ${requests.join(', ')}, aim one HEAD: ${verdict(once)}`,
    '',
  ].join('\n');
}

interface Summary {
  /** The median. */
  readonly wallMs: number;
  readonly range: string;
  /** The highest of all runs. */
  readonly peakBytes: number;
}

function summarise(runs: readonly Measurement[]): Summary {
  const wall = runs.map((run) => run.wallMs);
  return {
    wallMs: median(wall),
    range: `${formatMs(Math.min(...wall))} to ${formatMs(Math.max(...wall))}`,
    peakBytes: Math.max(...runs.map((run) => run.peakBytes ?? Number.NaN)),
  };
}

function verdict(met: boolean): string {
  return met ? 'met' : 'MISSED';
}
