// What a containerd takes whose content comes from `layerpull content-plugin`, beside one with its own content store.
import { startRegistry } from '../test/support/real-registry.ts';
import { runBench } from './lib/bench.ts';
import { bytesNeeded, help, parseOptions } from './lib/containerd/options.ts';
import { formatSamples } from './lib/containerd/report.ts';
import { runRounds } from './lib/containerd/rounds.ts';
import { describeMachine } from './lib/machine.ts';
import { useMemoryFor } from './lib/scratch.ts';

await runBench(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (!options) return void process.stdout.write(help);
  const folder = useMemoryFor(bytesNeeded(options));
  const locks = options.server ? 'with a lock server' : 'which coordinates itself';
  process.stdout.write(
    `${describeMachine()}\n${options.runs} runs each, median (range); registry and stores in ${folder}; plugin ${locks}\n\n`,
  );
  process.stdout.write(formatSamples(await runRounds(await startRegistry(), options), options));
});
