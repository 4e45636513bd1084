import { digest, forEach, within } from './many.ts';
import { about, type Node, type Nodes, openNode } from './nodes.ts';
import type { Server } from './server.ts';
import type { Waiter } from './waiter.ts';

const patienceMs = 120_000;

export async function addHolder(nodes: Nodes): Promise<Node> {
  const holder = await openNode(nodes.client, 'holder');
  nodes.add(holder);
  return holder;
}

/** Waiters that listen, and one that holds what they wait for. */
export class WaitingCrowd {
  /** Of the holder. */
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
  }
}
