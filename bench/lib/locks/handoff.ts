import { setImmediate as nextTurn } from 'node:timers/promises';
import { tempDir } from '../../../test/support/temp.ts';
import { formatShortMs, percentile } from '../numbers.ts';
import { etcdHandOffs } from './etcd-handoff.ts';
import { atMost, below, type Figure } from './figures.ts';
import { digest, forEach, within } from './many.ts';
import { about, type Node, type Nodes, openNodes } from './nodes.ts';
import type { LocksOptions } from './options.ts';
import { meanPollingMs } from './polling.ts';
import { startServer } from './server.ts';
import { openStream } from './stream.ts';

/** Milliseconds of one hand-off, until the event of the next holder arrived. */
export interface HandOff {
  readonly fromAnswerMs: number;
  readonly fromRequestMs: number;
}

const resource = digest(1);

/** From an unlock to the event that tells the next of many waiters. */
export async function benchHandOff({ waiters = 1_000, seconds, profileDir }: LocksOptions): Promise<Figure[]> {
  const server = await startServer({ dataDir: tempDir(), profileDir });
  const samples = await handOffs(server.url, waiters, seconds);
  const pollingMs = await meanPollingMs(server.url);
  await server.stop();
  const peers = await etcdHandOffs(waiters, seconds);
  return figuresOf(samples, peers, pollingMs);
}

function figuresOf(
  samples: readonly HandOff[],
  peers: readonly HandOff[] | undefined,
  pollingMs: number,
): Figure[] {
  const common = { format: formatShortMs };
  const fromAnswer = samples.map((sample) => sample.fromAnswerMs);
  const fromRequest = samples.map((sample) => sample.fromRequestMs);
  const etcd = (percent: number, of: keyof HandOff) => ({
    name: 'etcd',
    value: peers && percentile(peers.map((sample) => sample[of]), percent),
  });
  const p50 = percentile(fromAnswer, 50);
  return [
    { ...common, name: 'hand-off p50', value: p50, aim: below(3, '3 ms'), peer: etcd(50, 'fromAnswerMs') },
    {
      ...common,
      name: 'hand-off p99',
      value: percentile(fromAnswer, 99),
      aim: below(25, '25 ms'),
      peer: etcd(99, 'fromAnswerMs'),
    },
  ];
}
