import type { EtcdEntry } from './client/etcd.ts';
import { parseEntryKey } from './keys.ts';
import type { ClusterCommand, SeatId } from './replica/cluster.ts';
import { seatGone } from './requests.ts';

export interface DepartedOptions {
  /** Seats that the copy of the machine knows. */
  readonly known: ReadonlyMap<SeatId, unknown>;
  readonly submit: (command: ClusterCommand) => Promise<unknown>;
}

/** Servers that are gone, until all know it: nobody else may be there to say it, and their sessions would live for ever. */
export class Departed {
  readonly #options: DepartedOptions;
  /** What could not be written yet. */
  readonly #gone = new Set<SeatId>();

  constructor(options: DepartedOptions) {
    this.#options = options;
  }

  add(seat: SeatId): void {
    this.#gone.add(seat);
  }

  /** To be called now and then, when no entries wait to be applied. */
  tell(): void {
    const { known, submit } = this.#options;
    for (const seat of [...this.#gone]) {
      this.#gone.delete(seat);
      if (known.has(seat)) submit(seatGone(seat)).catch(() => this.#gone.add(seat));
    }
  }

  /**
   * Those of which nothing was heard while nobody could hear it.
   *
   * @param running all that run
   * @param waiting entries that are not applied yet, by which a server may be known that is gone again
   */
  missed(running: ReadonlySet<SeatId>, waiting: readonly EtcdEntry[]): SeatId[] {
    const writers = waiting.flatMap(({ key }) => parseEntryKey(key)?.seat ?? []);
    const all = new Set([...this.#options.known.keys(), ...writers]);
    return [...all].filter((seat) => !running.has(seat));
  }
}
