import { type Cluster, createEmptiness, createSignal, type Locker, request } from './locker.ts';
import { type Change, createStore, type Store } from './store.ts';

interface Place {
  readonly server: number;
  readonly client: number;
  readonly revision: number;
}

/** What a server knows of a lock from its watch. */
interface Lock {
  isHeld: boolean;
  /** By key, in the order in which the keys were made. */
  readonly queue: Map<string, Place>;
  /** The place for which a grant is under way, or done and not seen yet. */
  granted: string | undefined;
}

/**
 * A key for each holder and each place in a queue, written by transactions that compare them. The server of the client
 * whose turn it is sees the lock become free and writes the holder for it.
 */
export async function openTransactions(address: string, servers: number): Promise<Cluster> {
  const opened = Array.from({ length: servers }, (_, index) => new TransactionServer(index, address));
  for (const server of opened) await server.start();
  return {
    servers: opened,
    allAnswered: (lock) => opened.map((server) => server.emptiness.when(lock)),
    used: () => ({
      transactions: opened.reduce((sum, { store }) => sum + store.written(), 0),
      events: opened.reduce((sum, { store }) => sum + store.read(), 0),
    }),
    close() {
      for (const { store } of opened) store.close();
    },
  };
}

class TransactionServer implements Locker {
  readonly store: Store;
  readonly emptiness = createEmptiness();
  readonly #number: number;
  readonly #locks = new Map<number, Lock>();
  /** Those who have a place, by its key. */
  readonly #places = new Map<string, () => void>();

  constructor(number: number, address: string) {
    this.#number = number;
    this.store = createStore(address);
  }

  async start(): Promise<void> {
    await this.store.ready();
    await this.store.watch('locks/', (changes) => this.#learn(changes));
  }

  async acquire(client: number, lock: number): Promise<boolean> {
    const { key, told } = this.#place(client, lock);
    const succeeded = await this.#take(client, lock, key);
    if (succeeded) this.#places.delete(key);
    else await told;
    return !succeeded;
  }

  async queue(client: number, lock: number): Promise<void> {
    const { key } = this.#place(client, lock);
    if (await this.#take(client, lock, key)) throw new Error('a lock was free that should be held');
  }

  async release(client: number, lock: number): Promise<void> {
    const done = JSON.stringify(request('completion', client, lock));
    await this.store.transact({
      compare: [],
      success: [
        { kind: 'delete', key: holderKey(lock) },
        { kind: 'put', key: `locks/done/${lock}`, value: done },
      ],
    });
  }

  async complete(client: number, lock: number): Promise<void> {
    const done = JSON.stringify(request('completion', client, lock));
    await this.store.transact({
      compare: [],
      success: [
        { kind: 'delete', key: holderKey(lock) },
        { kind: 'delete-prefix', prefix: `locks/queue/${lock}/` },
        { kind: 'put', key: `locks/done/${lock}`, value: done },
      ],
    });
  }

  #place(client: number, lock: number) {
    const key = `locks/queue/${lock}/${this.#number}/${client}`;
    const { told, tell } = createSignal<void>();
    this.#places.set(key, tell);
    return { key, told };
  }

  /** The lock if it is free and nobody waits, else a place. */
  async #take(client: number, lock: number, place: string): Promise<boolean> {
    const value = JSON.stringify(request('acquire', client, lock));
    const key = holderKey(lock);
    const { succeeded } = await this.store.transact({
      compare: [
        { kind: 'absent', key },
        { kind: 'none', prefix: `locks/queue/${lock}/` },
      ],
      success: [{ kind: 'put', key, value }],
      failure: [{ kind: 'put', key: place, value }],
    });
    return succeeded;
  }

  #learn(changes: readonly Change[]): void {
    const changed = new Set(changes.map((change) => this.#apply(change)));
    for (const lock of changed) void this.#grant(lock, this.#lock(lock));
  }

  #apply({ kind, key, createRevision }: Change): number {
    const [, what, number, server, client] = key.split('/');
    const lock = this.#lock(Number(number));
    if (what === 'holder') lock.isHeld = kind === 'put';
    else if (what === 'queue' && kind === 'delete') leave(lock, key);
    else if (what === 'queue')
      lock.queue.set(key, { revision: createRevision, server: Number(server), client: Number(client) });
    else if (lock.queue.size === 0) this.emptiness.tell(Number(number));
    return Number(number);
  }

  /** Each server acts for its own clients only, or three would write the same grant. */
  async #grant(number: number, lock: Lock): Promise<void> {
    if (lock.isHeld) return;
    const [head] = lock.queue;
    if (!head || head[1].server !== this.#number || lock.granted === head[0]) return;
    const [place, { client, revision }] = head;
    lock.granted = place;
    const key = holderKey(number);
    const { succeeded } = await this.store.transact({
      compare: [
        { kind: 'absent', key },
        { kind: 'created-at', key: place, revision },
      ],
      success: [
        { kind: 'put', key, value: JSON.stringify(request('acquire', client, number)) },
        { kind: 'delete', key: place },
      ],
    });
    if (succeeded) this.#tell(place);
    else lock.granted = undefined;
  }

  #tell(place: string): void {
    this.#places.get(place)?.();
    this.#places.delete(place);
  }

  #lock(number: number): Lock {
    const known = this.#locks.get(number);
    if (known) return known;
    const lock: Lock = { isHeld: false, queue: new Map(), granted: undefined };
    this.#locks.set(number, lock);
    return lock;
  }
}

function holderKey(lock: number): string {
  return `locks/holder/${lock}`;
}

/** Clients use the key of a place again. */
function leave(lock: Lock, place: string): void {
  lock.queue.delete(place);
  if (lock.granted === place) lock.granted = undefined;
}
