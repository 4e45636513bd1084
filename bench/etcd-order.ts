// Two ways to keep locks in etcd, without anything of ours around them: a key for each lock and place, or one log.
import { parseArgs } from 'node:util';
import { runBench } from './lib/bench.ts';
import { compareOrders, type OrderOptions } from './lib/etcd-order/compare.ts';
import { describeMachine } from './lib/machine.ts';
import { parseCount } from './lib/numbers.ts';
import { formatTable } from './lib/table.ts';

const help = `npm run bench -- etcd-order [--seconds 10] ...

  --seconds   how long each value is measured
  --clients   how many take locks at once (default 64)
  --locks     out of how many (default 256)
  --waiters   how many wait for one completion (default 5000)
`;

function parseOptions(args: string[]): OrderOptions | undefined {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '10' },
      clients: { type: 'string', default: '64' },
      locks: { type: 'string', default: '256' },
      waiters: { type: 'string', default: '5000' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  return {
    seconds: parseCount(values.seconds),
    clients: parseCount(values.clients),
    locks: parseCount(values.locks),
    waiters: parseCount(values.waiters),
  };
}

await runBench(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (!options) return void process.stdout.write(help);
  process.stdout.write(`${describeMachine()}\neach value over ${options.seconds} s\n\n`);
  const rows = await compareOrders(options);
  process.stdout.write(rows ? formatTable(rows) : 'etcd is not installed\n');
});
