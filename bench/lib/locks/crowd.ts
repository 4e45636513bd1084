import { tempDir } from '../../../test/support/temp.ts';
import { digest, forEach, sleep, within } from './many.ts';
import { about, type Node, type Nodes, openNode, openNodes } from './nodes.ts';
import { peakBytes, residentBytes, watchCpu } from './process-usage.ts';
import { type Server, startServer } from './server.ts';
import { Waiter } from './waiter.ts';

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
const patienceMs = 120_000;

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
  await restart.server.stop();
  const memory = { emptyBytes, residentBytes: bytes, peakBytes: peak };
  return { ...memory, completionsMs, freshCompletionsMs, openingMs, cpu, ...restart };
}

async function addHolder(nodes: Nodes): Promise<Node> {
  const holder = await openNode(nodes.client, 'holder');
  nodes.add(holder);
  return holder;
}

class WaitingCrowd {
  readonly #nodes: Nodes;
  readonly #waiters: readonly Waiter[];
  readonly #holder: Node;
  #positions: number[] = [];

  constructor(nodes: Nodes, waiters: readonly Waiter[], holder: Node) {
    this.#nodes = nodes;
    this.#waiters = waiters;
    this.#holder = holder;
  }

  /** One locks the resource, all others queue for it. */
  async waitFor(number: number): Promise<void> {
    const resource = digest(number);
    const body = about(this.#holder, 'pull', resource);
    const { token } = await this.#nodes.client.call('POST', '/lock', body);
    this.#holder.held = { resource_id: resource, type: 'pull', token: Number(token) };
    this.#positions = [];
    await forEach(this.#waiters.entries(), 64, async ([index, waiter]) => {
      this.#positions[index] = await waiter.enqueue(resource);
    });
  }

  /** Answers how many milliseconds after the unlock each one heard of it. */
  async complete(number: number): Promise<number[]> {
    const body = { ...about(this.#holder, 'pull', digest(number)), success: true, error: '' };
    const heard = this.#waiters.map((waiter) => waiter.completed());
    this.#holder.held = undefined;
    const askedAt = performance.now();
    await this.#nodes.client.call('POST', '/unlock', body);
    const times = await within(patienceMs, 'all hearing of a completion', Promise.all(heard));
    return times.map((atMs) => atMs - askedAt);
  }

  /** Kills the server and has the next one in its place. */
  async outlive(server: Server, start: () => Promise<Server>) {
    const snapshots = Promise.all(this.#waiters.map((waiter) => waiter.snapshot()));
    const killedAt = performance.now();
    server.child.kill('SIGKILL');
    await server.child.exited;
    const next = await start();
    const listeningMs = performance.now() - killedAt;
    const places = await within(patienceMs, 'all streams being back', snapshots);
    const backMs = performance.now() - killedAt;
    const resource = this.#holder.held?.resource_id ?? '';
    const lost = places.filter((place, index) => place.get(resource) !== this.#positions[index]);
    return { server: next, listeningMs, backMs, placesLost: lost.length };
  }

  close(): void {
    for (const waiter of this.#waiters) waiter.close();
    this.#nodes.close();
  }
}
