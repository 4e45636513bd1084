// What the lock service does under load, beside etcd where that is to be had.
import { runBench } from './lib/bench.ts';
import { type Figure, formatFigures } from './lib/locks/figures.ts';
import { benchHandOff } from './lib/locks/handoff.ts';
import { type BenchName, help, type LocksOptions, parseOptions } from './lib/locks/options.ts';
import { benchPairs } from './lib/locks/pairs.ts';
import { benchRecovery } from './lib/locks/recovery.ts';
import { benchStatus } from './lib/locks/status.ts';
import { benchWaiters } from './lib/locks/waiters.ts';
import { describeMachine } from './lib/machine.ts';

const benches: Readonly<Record<BenchName, (options: LocksOptions) => Promise<Figure[]>>> = {
  handoff: benchHandOff,
  pairs: benchPairs,
  waiters: benchWaiters,
  recovery: benchRecovery,
  status: benchStatus,
};

await runBench(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (!options) return void process.stdout.write(help);
  process.stdout.write(`${describeMachine()}\neach value over ${options.seconds} s\n`);
  process.stdout.write(
    `over etcd: ${options.servers} servers and ${options.members} members of etcd, all on this machine\n\n`,
  );
  const figures: Figure[] = [];
  for (const name of options.only) {
    process.stderr.write(`measuring ${name}\n`);
    figures.push(...(await benches[name](options)));
  }
  process.stdout.write(formatFigures(figures));
});
