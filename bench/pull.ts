// Wall time and peak memory of `layerpull pull` beside skopeo, on the same made image from the same registry.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { cliEnv, cliProgram } from '../test/support/cli.ts';
import { requireComponent } from '../test/support/component-list.ts';
import { pushImage } from '../test/support/images.ts';
import { startRegistry } from '../test/support/real-registry.ts';
import { tempDir } from '../test/support/temp.ts';
import { runBench } from './lib/bench.ts';
import { describeMachine } from './lib/machine.ts';
import { type Command, type Measurement, measure } from './lib/measure.ts';
import { formatMib, formatMs, median, parseBytes, parseCount, ratio } from './lib/numbers.ts';
import { formatTable } from './lib/table.ts';

const help = `npm run bench -- pull [--size 256MiB] [--layers 4] [--runs 5] [--layer-of 1GiB] [--dir DIR]

  --size      bytes of the whole image
  --layers    in how many layers
  --layer-of  one layer of this size instead: how much memory does it take?
  --runs      alternating runs of each program; the median counts
  --dir       where both write (default: the folder for temporary files)
`;

interface Options {
  readonly layers: readonly number[];
  readonly runs: number;
  readonly dir: string;
}

/** A program to measure: how it pulls `reference` into the empty folder `into`. */
interface Contender {
  readonly name: string;
  command(reference: string, into: string): Command;
}

const contenders: readonly Contender[] = [
  {
    name: 'layerpull',
    command: (reference, into) => ({
      program: process.execPath,
      args: [
        cliProgram(),
        'pull',
        reference,
        '--store',
        into,
        '--platform',
        'linux/amd64',
        '--progress',
        'none',
      ],
      env: cliEnv(),
    }),
  },
  {
    name: 'skopeo',
    command: (reference, into) => {
      const { path: program, env } = requireComponent('skopeo');
      const from = ['--src-tls-verify=false', `docker://${reference}`];
      return {
        program,
        args: ['--insecure-policy', 'copy', '-q', ...from, `oci:${into}:bench`],
        env: { ...process.env, ...env },
      };
    },
  },
];

await runBench(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (!options) return void process.stdout.write(help);
  const { layers, runs } = options;
  const total = layers.reduce((sum, bytes) => sum + bytes, 0);
  process.stdout.write(`${describeMachine()}\n`);
  process.stdout.write(
    `image of ${formatMib(total)} in ${layers.length} layers, ${runs} runs each, median (range)\n\n`,
  );
  const results = await measureAll(options);
  process.stdout.write(report(results, total));
});

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      size: { type: 'string', default: '256MiB' },
      layers: { type: 'string', default: '4' },
      'layer-of': { type: 'string' },
      runs: { type: 'string', default: '5' },
      dir: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const count = parseCount(values.layers);
  const one = values['layer-of'];
  const layers = one ? [parseBytes(one)] : Array(count).fill(Math.floor(parseBytes(values.size) / count));
  return { layers, runs: parseCount(values.runs), dir: values.dir ? path.resolve(values.dir) : tempDir() };
}

async function measureAll({ layers, runs, dir }: Options): Promise<Map<Contender, Measurement[]>> {
  const registry = await startRegistry();
  const { reference } = await pushImage(registry, 'bench/image', { layers });
  const results = new Map(contenders.map((contender): [Contender, Measurement[]] => [contender, []]));
  for (let run = 0; run < runs; run += 1) {
    // Who goes first changes, so that a warm file cache favours nobody.
    for (const contender of run % 2 === 0 ? contenders : contenders.toReversed()) {
      const into = path.join(dir, `bench-${contender.name}`);
      results.get(contender)?.push(await measure(contender.command(reference, into)));
      rmSync(into, { recursive: true, force: true });
    }
  }
  return results;
}

function report(results: ReadonlyMap<Contender, readonly Measurement[]>, totalBytes: number): string {
  const rows = [...results].map(([{ name }, runs]) => ({
    name,
    wall: runs.map((run) => run.wallMs),
    peak: runs.map((run) => run.peakBytes ?? Number.NaN),
  }));
  const base = rows.find((row) => row.name === 'skopeo');
  const table = rows.map(({ name, wall, peak }) => [
    name,
    `${formatMs(median(wall))} (${formatMs(Math.min(...wall))} to ${formatMs(Math.max(...wall))})`,
    base ? ratio(median(wall), median(base.wall)) : '',
    `${formatMib((totalBytes / median(wall)) * 1_000)}/s`,
    formatMib(median(peak)),
    base ? ratio(median(peak), median(base.peak)) : '',
  ]);
  return formatTable([['', 'wall time', 'of skopeo', 'rate', 'peak memory', 'of skopeo'], ...table]);
}
