import { type Cluster, createEmptiness, createSignal, type Locker, request } from './locker.ts';
import { createStore, type Store } from './store.ts';

/** How many commands one entry may have. */
const commandsPerEntry = 500;

type Kind = 'acquire' | 'release' | 'completion';

interface Command extends ReturnType<typeof request> {
  readonly kind: Kind;
  readonly server: number;
  readonly client: number;
  readonly lock: number;
}

interface Entry {
  readonly seat: number;
  readonly seq: number;
  readonly commands: readonly Command[];
}

interface Pending {
  readonly command: Command;
  readonly onApplied: () => void;
}

export interface LogCluster extends Cluster {
  /** Milliseconds from writing an entry to the watch of its own server that shows it. */
  readonly seenMs: readonly number[];
  /** Has a server order so many commands at once that entries are full. */
  order(server: number, commands: number): Promise<void>;
}

/**
 * Every server writes what its clients want into entries, one write at a time. All read all entries and apply them in
 * the order of their revisions; the server that wrote a command answers it then.
 */
export async function openLog(address: string, servers: number): Promise<LogCluster> {
  const opened = Array.from({ length: servers }, (_, index) => new LogServer(index, address));
  for (const server of opened) await server.start();
  return {
    servers: opened,
    get seenMs() {
      return opened.flatMap((server) => server.seenMs);
    },
    order: async (server, commands) => opened[server]?.order(commands),
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

/** Who has a lock, and who wait for it: the server and client of each, as text. */
interface Lock {
  holder: string | undefined;
  queue: string[];
}

class LogServer implements Locker {
  readonly store: Store;
  readonly emptiness = createEmptiness();
  readonly seenMs: number[] = [];
  readonly #number: number;
  readonly #locks = new Map<number, Lock>();
  readonly #granted = new Map<string, () => void>();
  readonly #underWay = new Map<number, { readonly writtenAt: number; readonly batch: readonly Pending[] }>();
  #pending: Pending[] = [];
  #isWriting = false;
  #seq = 0;

  constructor(number: number, address: string) {
    this.#number = number;
    this.store = createStore(address);
  }

  async start(): Promise<void> {
    await this.store.ready();
    await this.store.transact({ compare: [], success: [{ kind: 'put', key: this.#seat(), value: '{}' }] });
    await this.store.watch('log/', (changes) => {
      for (const { value } of changes) this.#apply(JSON.parse(value));
    });
  }

  async acquire(client: number, lock: number): Promise<boolean> {
    const who = `${this.#number}/${client}/${lock}`;
    const { told, tell } = createSignal<void>();
    this.#granted.set(who, tell);
    await this.#write('acquire', client, lock);
    const hadToWait = this.#granted.has(who);
    await told;
    return hadToWait;
  }

  queue(client: number, lock: number): Promise<void> {
    return this.#write('acquire', client, lock);
  }

  release(client: number, lock: number): Promise<void> {
    return this.#write('release', client, lock);
  }

  complete(client: number, lock: number): Promise<void> {
    return this.#write('completion', client, lock);
  }

  async order(commands: number): Promise<void> {
    // Locks that nobody has: only the way through etcd counts.
    const written = Array.from({ length: commands }, (_, index) => this.#write('release', 0, -1 - index));
    await Promise.all(written);
  }

  /** Resolves when the command came back and was applied. */
  #write(kind: Kind, client: number, lock: number): Promise<void> {
    const command = { ...request(kind, client, Math.abs(lock)), kind, server: this.#number, client, lock };
    return new Promise((onApplied, reject) => {
      this.#pending.push({ command, onApplied });
      this.#flush().catch(reject);
    });
  }

  async #flush(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    // What is asked in the same turn goes along.
    await Promise.resolve();
    while (this.#pending.length > 0) await this.#writeEntry(this.#pending.splice(0, commandsPerEntry));
    this.#isWriting = false;
  }

  async #writeEntry(batch: readonly Pending[]): Promise<void> {
    this.#seq += 1;
    const entry: Entry = {
      seat: this.#number,
      seq: this.#seq,
      commands: batch.map(({ command }) => command),
    };
    const key = `log/${this.#number}/${String(this.#seq).padStart(12, '0')}`;
    const value = JSON.stringify(entry);
    this.#underWay.set(this.#seq, { writtenAt: performance.now(), batch });
    const { succeeded } = await this.store.transact({
      compare: [{ kind: 'absent', key }],
      success: [{ kind: 'put', key, value }],
    });
    if (!succeeded) throw new Error('an entry was there before it was written');
  }

  #apply({ seat, seq, commands }: Entry): void {
    for (const command of commands) this.#step(command);
    const own = seat === this.#number ? this.#underWay.get(seq) : undefined;
    if (!own) return;
    this.#underWay.delete(seq);
    this.seenMs.push(performance.now() - own.writtenAt);
    for (const { onApplied } of own.batch) onApplied();
  }

  #step({ kind, server, client, lock: number }: Command): void {
    const lock = this.#lock(number);
    const who = `${server}/${client}/${number}`;
    if (kind === 'completion') lock.queue = [];
    if (kind !== 'acquire') this.#handOn(number, lock);
    else if (lock.holder === undefined) this.#give(lock, who);
    else lock.queue.push(who);
  }

  #handOn(number: number, lock: Lock): void {
    const next = lock.queue.shift();
    if (next !== undefined) return void this.#give(lock, next);
    this.#locks.delete(number);
    this.emptiness.tell(number);
  }

  #give(lock: Lock, who: string): void {
    lock.holder = who;
    this.#granted.get(who)?.();
    this.#granted.delete(who);
  }

  #lock(number: number): Lock {
    const known = this.#locks.get(number);
    if (known) return known;
    const lock: Lock = { holder: undefined, queue: [] };
    this.#locks.set(number, lock);
    return lock;
  }

  #seat(): string {
    return `seats/${this.#number}`;
  }
}
