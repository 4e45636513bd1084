import { fileURLToPath } from 'node:url';
import { type Child, spawnProcess } from '../../../test/support/processes.ts';
import { tempDir } from '../../../test/support/temp.ts';
import { formatShortMs, percentile } from '../numbers.ts';
import type { Aim, Figure } from './figures.ts';
import { createClient } from './http.ts';
import type { LoadOptions } from './load.ts';
import { digest, range, sleep } from './many.ts';
import { about, openNode, startHeartbeats } from './nodes.ts';
import type { LocksOptions } from './options.ts';
import { type Server, startProgram, startServer } from './server.ts';

/** Between two questions, milliseconds. */
const pauseMs = 4;
const slowCommitMs = 200;
const writers = 8;
const resource = digest(0xabc);

type Samples = readonly number[];

/** How long `GET /lock/status` takes while other things go on, beside when nothing does. */
export async function benchStatus(options: LocksOptions): Promise<Figure[]> {
  const server = await startServer({ dataDir: tempDir(), profileDir: options.profileDir });
  const busy = await whileNodesCome(server, options);
  await server.stop();
  const slow = await startProgram([program('slow-server'), tempDir(), String(slowCommitMs)]);
  const slowed = await whileCommitsAreSlow(slow, options);
  await slow.stop();
  const { nodes, nodesPerSecond } = options;
  return [
    ...beside(`status while ${nodes} nodes register, ${nodesPerSecond}/s`, busy.registering, busy.idle),
    ...beside(`status while ${nodes} nodes send heartbeats`, busy.heartbeats, busy.idle),
    ...beside(`status while a commit takes ${slowCommitMs} ms`, slowed.writing, slowed.idle),
  ];
}

function beside(name: string, samples: Samples, idle: Samples): Figure[] {
  const figure = (percent: number, aim: Aim): Figure => ({
    ...{ name: `${name}, p${percent}`, value: percentile(samples, percent), format: formatShortMs, aim },
    peer: { name: 'idle', value: percentile(idle, percent) },
  });
  return [
    figure(50, {
      text: '<= 1.2x idle',
      isMet: (value, base = 0) => value <= base * 1.2,
    }),
    figure(99, {
      text: '<= 2x idle or 5 ms more',
      isMet: (value, base = 0) => value <= Math.max(base * 2, base + 5),
    }),
  ];
}

async function whileNodesCome(server: Server, { seconds, nodes, nodesPerSecond }: LocksOptions) {
  const stopHolding = await holdWithWaiters(server.url);
  // Nobody waits for a program that was just started to become fast.
  await askFor(server.url, sleep(1_000));
  const idle = await askFor(server.url, sleep(seconds * 1_000));
  const load = await startLoad({ url: server.url, nodes, nodesPerSecond, writers: 0 });
  const everyone = load.stdout.waitFor(/registered/, (nodes / nodesPerSecond) * 2_000 + 20_000);
  const registering = await askFor(server.url, everyone);
  const heartbeats = await askFor(server.url, sleep(seconds * 1_000));
  await load.stop();
  stopHolding();
  return { idle, registering, heartbeats };
}

async function whileCommitsAreSlow(server: Server, { seconds }: LocksOptions) {
  const stopHolding = await holdWithWaiters(server.url);
  await askFor(server.url, sleep(1_000));
  const idle = await askFor(server.url, sleep(seconds * 1_000));
  const load = await startLoad({ url: server.url, nodes: writers, nodesPerSecond: 100, writers });
  await load.stdout.waitFor(/registered/);
  const writing = await askFor(server.url, sleep(seconds * 1_000));
  await load.stop();
  stopHolding();
  return { idle, writing };
}

/** A resource that there is something to say about. */
async function holdWithWaiters(url: string): Promise<() => void> {
  const client = createClient(url);
  const nodes = await Promise.all(range(4).map((index) => openNode(client, `holder-${index}`)));
  const stop = startHeartbeats(client, nodes);
  for (const node of nodes) {
    const { token } = await client.call('POST', '/lock', about(node, 'pull', resource));
    if (token) node.held = { resource_id: resource, type: 'pull', token: Number(token) };
  }
  return () => {
    stop();
    client.close();
  };
}

/** Asks one question after another until `end`; milliseconds that each took. */
async function askFor(url: string, end: Promise<unknown>): Promise<Samples> {
  const client = createClient(url);
  const samples: number[] = [];
  let isOver = false;
  const over = end.finally(() => {
    isOver = true;
  });
  const path = `/lock/status?${new URLSearchParams({ type: 'pull', resource_id: resource, node_id: 'observer' })}`;
  while (!isOver) {
    const askedAt = performance.now();
    await client.call('GET', path);
    samples.push(performance.now() - askedAt);
    await sleep(pauseMs);
  }
  client.close();
  await over;
  return samples;
}

async function startLoad(options: LoadOptions): Promise<Child> {
  return await spawnProcess(process.execPath, [program('load'), JSON.stringify(options)], {
    env: process.env,
  });
}

/** A program of `bench/locks`, which is bundled into a folder beside the bench. */
function program(name: string): string {
  return fileURLToPath(new URL(`locks/${name}.mjs`, import.meta.url));
}
