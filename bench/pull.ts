// Wall time and peak memory of `layerpull pull` beside skopeo, on the same made images from the same registry; and what
// a pull of an image costs that is there already.
import { parseArgs } from 'node:util';
import { startRegistry } from '../test/support/real-registry.ts';
import { runBench } from './lib/bench.ts';
import { describeMachine } from './lib/machine.ts';
import { formatMib, parseBytes, parseCount } from './lib/numbers.ts';
import { useMemoryFor } from './lib/scratch.ts';
import { reportPresent, reportSideBySide } from './pull/report.ts';
import { pullPresent, pullSideBySide } from './pull/rounds.ts';
import { layersOf, type Scenario, scenarios } from './pull/scenarios.ts';

const help = `npm run bench -- pull [--only big,small,present] [--size 256MiB --layers 4] [--runs 5]

  --only            some of: big (2 GiB in 8 layers), small (60 layers of 1 MiB), present (nothing to do)
  --size, --layers  an image of this size in so many layers instead
  --runs            alternating runs of each program; the median counts
`;

interface Options {
  readonly scenarios: readonly Scenario[];
  readonly present: boolean;
  readonly runs: number;
}

await runBench(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (!options) return void process.stdout.write(help);
  const folder = useMemoryFor(bytesNeeded(options));
  process.stdout.write(
    `${describeMachine()}\n${options.runs} runs each, median (range); registry and stores in ${folder}\n\n`,
  );
  for (const scenario of options.scenarios) {
    const registry = await startRegistry();
    process.stdout.write(reportSideBySide(scenario, await pullSideBySide(registry, scenario, options.runs)));
    await registry.stop();
  }
  if (options.present)
    process.stdout.write(reportPresent(await pullPresent(await startRegistry(), options.runs)));
});

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: 'big,small,present' },
      size: { type: 'string' },
      layers: { type: 'string', default: '4' },
      runs: { type: 'string', default: '5' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const runs = parseCount(values.runs);
  if (values.size !== undefined) {
    const bytes = parseBytes(values.size);
    const count = parseCount(values.layers);
    const name = `${formatMib(bytes)} in ${count} layers`;
    return { scenarios: [{ name, layers: layersOf(count, bytes) }], present: false, runs };
  }
  const names = values.only.split(',');
  const unknown = names.find((name) => name !== 'present' && !Object.hasOwn(scenarios, name));
  if (unknown !== undefined) throw new Error(`there is no "${unknown}": choose of big, small, present`);
  const chosen = Object.entries(scenarios).filter(([name]) => names.includes(name));
  return { scenarios: chosen.map(([, scenario]) => scenario), present: names.includes('present'), runs };
}

/** What is pushed stays in the registries; beside it lies one image of each program, and what is being built. */
function bytesNeeded({ scenarios: chosen }: Options): number {
  const sizes = chosen.map(({ layers }) => layers.reduce((sum, bytes) => sum + bytes, 0));
  return 5 * sizes.reduce((sum, bytes) => sum + bytes, 0);
}
