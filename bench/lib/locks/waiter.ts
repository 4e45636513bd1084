import { isRecord } from './http.ts';
import { sleep } from './many.ts';
import { about, type Node, type Nodes } from './nodes.ts';
import { type EventStream, openStream, StreamRefused } from './stream.ts';

const type = 'pull';
/** What servers ask for with `retry:`. */
const retryMs = 1_000;

/** A node that waits for one resource after another and listens on its own stream, whatever becomes of the server. */
export class Waiter {
  readonly #url: string;
  readonly #nodes: Nodes;
  readonly #node: Node;
  #stream: EventStream | undefined;
  #isClosed = false;
  #onSnapshot: (positions: ReadonlyMap<string, number>) => void = () => {};
  #onCompleted: (atMs: number) => void = () => {};

  constructor(url: string, nodes: Nodes, node: Node) {
    this.#url = `${url}/lock/subscribe?session=${node.sessionId}`;
    this.#nodes = nodes;
    this.#node = node;
  }

  /** Opens the stream, again and again if need be. */
  async listen(): Promise<void> {
    while (!this.#isClosed) {
      try {
        this.#stream = await openStream(this.#url, {
          onEvent: ({ name, data }) => this.#hear(name, data),
          onBroken: () => void this.#comeBack(),
        });
        return;
      } catch (error) {
        if (error instanceof StreamRefused && error.status !== 503) throw error;
        await sleep(retryMs * (0.5 + Math.random()));
      }
    }
  }

  /** Takes a place and answers its position. @throws when there is none */
  async enqueue(resource: string): Promise<number> {
    const reply = await this.#nodes.client.call('POST', '/lock', about(this.#node, type, resource));
    if (typeof reply['position'] === 'number') return reply['position'];
    throw new Error(`a place in the queue was expected: ${JSON.stringify(reply)}`);
  }

  /** When the next event says that the resource is done. */
  completed(): Promise<number> {
    return new Promise((resolve) => {
      this.#onCompleted = resolve;
    });
  }

  /** The places that the next stream begins with, by resource. */
  snapshot(): Promise<ReadonlyMap<string, number>> {
    return new Promise((resolve) => {
      this.#onSnapshot = resolve;
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.close();
  }

  #hear(name: string, data: string): void {
    if (name === 'completed') this.#onCompleted(performance.now());
    if (name === 'snapshot') this.#onSnapshot(positionsIn(JSON.parse(data)));
  }

  async #comeBack(): Promise<void> {
    await sleep(retryMs * (0.5 + Math.random()));
    await this.listen().catch((error) => process.stderr.write(`${error}\n`));
  }
}

function positionsIn(snapshot: unknown): ReadonlyMap<string, number> {
  const queued = isRecord(snapshot) && Array.isArray(snapshot['queued']) ? snapshot['queued'] : [];
  return new Map(queued.map((place) => [String(place.resource_id), Number(place.position)]));
}
