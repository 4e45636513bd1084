import { tempDir } from '../../../test/support/temp.ts';
import { forEach, sleep } from './many.ts';
import { openNodes } from './nodes.ts';
import { peakBytes, residentBytes, watchCpu } from './process-usage.ts';
import { startServer } from './server.ts';
import { Waiter } from './waiter.ts';
import { addHolder, WaitingCrowd } from './waiting-crowd.ts';

export interface Crowd {
  /** Of the server alone, and with all of them waiting. */
  readonly emptyBytes: number;
  readonly residentBytes: number;
  /** The most that the server ever had, until it was killed. */
  readonly peakBytes: number;
  /** For each waiter, from the unlock to its event; and with a server that was just started. */
  readonly completionsMs: readonly number[];
  readonly freshCompletionsMs: readonly number[];
  readonly placesLost: number;
  /** Until all streams were open at first, and again after the server was killed. */
  readonly openingMs: number;
  readonly backMs: number;
  /** Until the new server listened. */
  readonly listeningMs: number;
  /** How busy server and clients were while all waited. */
  readonly cpu: string;
}

export interface CrowdOptions {
  /** How long all just wait, before their memory is looked at. */
  readonly settleMs: number;
  readonly profileDir?: string | undefined;
}

const rounds = 3;

/** Has `count` nodes wait on streams, completes what they wait for, and kills the server under them. */
export async function measureCrowd(count: number, { settleMs, profileDir }: CrowdOptions): Promise<Crowd> {
  const dataDir = tempDir();
  const server = await startServer({ dataDir, profileDir });
  const emptyBytes = residentBytes(server.child.pid);
  const openedAt = performance.now();
  const nodes = await openNodes(server.url, count, 'waiter');
  const waiters = nodes.all.map((node) => new Waiter(server.url, nodes, node));
  const crowd = new WaitingCrowd(nodes, waiters, await addHolder(nodes));
  await forEach(waiters, 64, (waiter) => waiter.listen());
  await crowd.waitFor(0);
  const openingMs = performance.now() - openedAt;
  const used = watchCpu({ 'the server': server.child.pid, 'its clients': process.pid });
  // Heartbeats of all of them, and what they leave behind, belong to the memory of a server that runs for long.
  await sleep(settleMs);
  const cpu = used();
  const bytes = residentBytes(server.child.pid);
  const completionsMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    completionsMs.push(...(await crowd.complete(round)));
    await crowd.waitFor(round + 1);
  }
  const peak = peakBytes(server.child.pid);
  const restart = await crowd.outlive(server, () => startServer({ dataDir, port: server.port, profileDir }));
  const freshCompletionsMs = await crowd.complete(rounds);
  crowd.close();
  nodes.close();
  await restart.server.stop();
  const memory = { emptyBytes, residentBytes: bytes, peakBytes: peak };
  return { ...memory, completionsMs, freshCompletionsMs, openingMs, cpu, ...restart };
}
