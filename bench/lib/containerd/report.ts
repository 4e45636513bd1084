import { formatMib, formatMs, median, ratio } from '../numbers.ts';
import { formatTable } from '../table.ts';
import type { StoreName } from './nodes.ts';
import type { ContainerdOptions, JobName } from './options.ts';
import type { Sample, Samples } from './rounds.ts';

/** What a job is aimed at beside containerd's own store in the same run; `pull` has no aim. */
const aims: Readonly<Partial<Record<JobName, number>>> = { fetch: 1.3, get: 4 };

const names: Readonly<Record<StoreName, string>> = { own: "containerd's own", plugin: 'layerpull' };

export function formatSamples(samples: Samples, options: ContainerdOptions): string {
  return options.only.map((job) => formatJob(job, samples[job], options)).join('\n');
}

function formatJob(job: JobName, { own, plugin }: Samples[JobName], options: ContainerdOptions): string {
  const bytes = job === 'get' ? options.blobBytes : options.imageBytes;
  const row = (store: StoreName, of: readonly Sample[]) => [
    names[store],
    ...cells(of, bytes, ratio(wall(of), wall(own))),
  ];
  const heading = [titleOf(job, options), 'wall time', 'of own', 'rate', 'processor', 'peak of plugin'];
  return `${formatTable([heading, row('own', own), row('plugin', plugin)])}${formatAim(job, wall(plugin) / wall(own))}`;
}

function titleOf(job: JobName, { imageBytes, layers, blobBytes, snapshotter }: ContainerdOptions): string {
  if (job === 'get') return `ctr content get, ${formatMib(blobBytes)}`;
  const image = `${formatMib(imageBytes)} in ${layers} layers`;
  return job === 'fetch' ? `ctr content fetch, ${image}` : `ctr images pull, ${image}, ${snapshotter}`;
}

function cells(samples: readonly Sample[], bytes: number, ofOwn: string): string[] {
  const all = samples.map(({ wallMs }) => wallMs);
  const peaks = samples.map(({ peakBytes }) => peakBytes).filter((peak) => peak !== undefined);
  return [
    `${formatMs(median(all))} (${formatMs(Math.min(...all))} to ${formatMs(Math.max(...all))})`,
    ofOwn,
    `${formatMib((bytes / median(all)) * 1_000)}/s`,
    formatMs(median(samples.map(({ cpuMs }) => cpuMs))),
    peaks.length > 0 ? formatMib(Math.max(...peaks)) : '',
  ];
}

/** Of reading, the speed is stated: at least a quarter is at most four times as long. */
function formatAim(job: JobName, found: number): string {
  const aim = aims[job];
  if (aim === undefined) return '';
  const met = found <= aim ? 'met' : 'MISSED';
  if (job === 'get')
    return `speed ${(1 / found).toFixed(2)} of own, aim at least ${(1 / aim).toFixed(2)}: ${met}\n`;
  return `aim at most ${aim.toFixed(2)}x: ${met}\n`;
}

function wall(samples: readonly Sample[]): number {
  return median(samples.map(({ wallMs }) => wallMs));
}
