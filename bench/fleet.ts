// What a fleet takes to have one image: nodes behind links of their own, beside programs that share nothing.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { whyNoNetworks } from '../test/support/netns.ts';
import { runBench } from './lib/bench.ts';
import { drawChart } from './lib/fleet/chart.ts';
import { useOwnFolder } from './lib/fleet/folder.ts';
import { type FleetOptions, help, parseOptions } from './lib/fleet/options.ts';
import { formatRows, type ImageRows } from './lib/fleet/report.ts';
import { measureImage } from './lib/fleet/rows.ts';
import { buildSite } from './lib/fleet/site.ts';
import { describeMachine } from './lib/machine.ts';

await runBench(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (!options) return void process.stdout.write(help);
  const problem = whyNoNetworks();
  if (problem) throw new Error(`${problem}: this bench needs root (CAP_NET_ADMIN) and iproute2`);
  const folder = useOwnFolder(bytesNeeded(options));
  process.stdout.write(
    `${describeMachine()}\n${describeSite(options)}; stores in ${path.dirname(folder)}\n\n`,
  );
  const { site, images } = await buildSite(options);
  const results: ImageRows[] = [];
  for (const image of images) {
    const rows = await measureImage(site, image, options);
    process.stdout.write(formatRows(rows, options));
    results.push(rows);
  }
  mkdirSync(path.dirname(options.svg), { recursive: true });
  writeFileSync(options.svg, drawChart(results, options));
  process.stdout.write(`chart: ${options.svg}\n`);
  if (results.some(({ rows }) => rows.some(({ result }) => 'failed' in result))) process.exitCode = 1;
});

function describeSite({ registryMbit, nodeMbit, runs }: FleetOptions): string {
  const rounds = runs === 1 ? 'one round' : `median of ${runs} rounds`;
  return `link of the registry ${registryMbit} Mbit/s, of a node ${nodeMbit} Mbit/s, ${rounds} of each kind`;
}

/** What is pushed stays; beside it each node has the image, and for a moment what it takes over. */
function bytesNeeded({ imageBytes, layers, nodes, others }: FleetOptions): number {
  return imageBytes * (layers.length + 1 + 2 * Math.max(...nodes, others));
}
