// How long layerpull takes to start: `--version`, and a pull of an image that is there, beside an empty Node program.
import { parseArgs } from 'node:util';
import { cliEnv, cliProgram } from '../test/support/cli.ts';
import { pushImage } from '../test/support/images.ts';
import { startRegistry } from '../test/support/real-registry.ts';
import { tempDir } from '../test/support/temp.ts';
import { runBench } from './lib/bench.ts';
import { describeMachine } from './lib/machine.ts';
import { type Command, measure } from './lib/measure.ts';
import { formatMs, median, parseCount, ratio } from './lib/numbers.ts';
import { formatTable } from './lib/table.ts';

const help = `npm run bench -- start [--runs 21]

  --runs  alternating runs of each program; the median counts
`;

interface Contender {
  readonly name: string;
  readonly command: Command;
  /** The ratio to stay under. */
  readonly aim: string;
}

await runBench(async () => {
  const runs = parseRuns(process.argv.slice(2));
  if (runs === undefined) return void process.stdout.write(help);
  process.stdout.write(`${describeMachine()}\n${runs} runs each, median (range)\n\n`);
  const contenders = await prepareContenders();
  process.stdout.write(report(await measureAll(contenders, runs)));
});

function parseRuns(args: string[]): number | undefined {
  const { values } = parseArgs({
    args,
    options: { runs: { type: 'string', default: '21' }, help: { type: 'boolean', short: 'h' } },
  });
  return values.help ? undefined : parseCount(values.runs);
}

async function prepareContenders(): Promise<Contender[]> {
  const registry = await startRegistry();
  const { reference } = await pushImage(registry, 'bench/present', { layers: [100_000, 100_000] });
  // What its caller's Node does at every start, all of these do.
  const env = cliEnv({ NODE_EXTRA_CA_CERTS: process.env['NODE_EXTRA_CA_CERTS'] });
  const node = (...args: string[]): Command => ({ program: process.execPath, args, env });
  const target = ['--store', tempDir(), '--platform', 'linux/amd64', '--progress', 'none'];
  const pull = node(cliProgram(), 'pull', reference, ...target);
  await measure(pull);
  return [
    { name: 'node -e 0', command: node('-e', '0'), aim: '' },
    { name: 'layerpull --version', command: node(cliProgram(), '--version'), aim: '2.20x' },
    { name: 'layerpull pull (present)', command: pull, aim: '2.20x, at most 3.00x' },
  ];
}

async function measureAll(contenders: readonly Contender[], runs: number): Promise<Map<Contender, number[]>> {
  const results = new Map(contenders.map((contender): [Contender, number[]] => [contender, []]));
  for (const { command } of contenders) await measure(command);
  for (let run = 0; run < runs; run += 1) {
    for (const contender of contenders) {
      results.get(contender)?.push((await measure(contender.command)).wallMs);
    }
  }
  return results;
}

function report(results: ReadonlyMap<Contender, readonly number[]>): string {
  const base = median([...results.values()][0] ?? []);
  const rows = [...results].map(([{ name, aim }, wall]) => [
    name,
    `${formatMs(median(wall))} (${formatMs(Math.min(...wall))} to ${formatMs(Math.max(...wall))})`,
    ratio(median(wall), base),
    aim,
  ]);
  return formatTable([['', 'wall time', 'of node', 'aim'], ...rows]);
}
