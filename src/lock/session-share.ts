import type { Digest } from '../core/digest.ts';
import type { Announcement, Heartbeat, SessionSnapshot } from './locks.ts';

/** What a heartbeat tells of the node beside its locks. */
export type News = Pick<Heartbeat, 'announce' | 'draining'>;

/** Digests in one heartbeat: with the longest of them it stays below the 64 KiB that every server takes. */
const pieceSize = 400;

/** What a node that serves layers tells the lock server, and how many it serves. */
export class SessionShare {
  readonly #has = new Set<Digest>();
  /** What the server may not know yet, in the order in which it is told. */
  readonly #changes = new Map<Digest, 'add' | 'remove'>();
  /** Undefined until it is told for the first time. */
  #isDraining: boolean | undefined;
  #toldDraining: boolean | undefined;
  #children = 0;

  /** Holders elsewhere that read from this session, as last told. */
  get children(): number {
    return this.#children;
  }

  get isDraining(): boolean {
    return this.#isDraining === true;
  }

  /** Whether there is something that the server does not know. */
  get hasNews(): boolean {
    return this.#changes.size > 0 || this.#isDraining !== this.#toldDraining;
  }

  announce({ add, remove }: Announcement): void {
    for (const digest of add) if (!this.#has.has(digest)) this.#note(digest, 'add');
    for (const digest of remove) if (this.#has.has(digest)) this.#note(digest, 'remove');
  }

  drain(): void {
    this.#isDraining = true;
  }

  /** Takes back that it drains, if that was said. */
  welcome(): void {
    if (this.#isDraining) this.#isDraining = false;
  }

  /** The server may have forgotten: all is told once more. */
  retell(): void {
    for (const digest of this.#has) this.#changes.set(digest, 'add');
  }

  /** What the next heartbeat tells. */
  news(): News {
    const piece = [...firstOf(this.#changes, pieceSize)];
    const digests = (kind: 'add' | 'remove') =>
      piece.filter(([, change]) => change === kind).map(([digest]) => digest);
    return {
      ...(piece.length > 0 ? { announce: { add: digests('add'), remove: digests('remove') } } : {}),
      ...(this.#isDraining === undefined ? {} : { draining: this.#isDraining }),
    };
  }

  /** The server has heard `news`. What changed since is still to be told. */
  told({ announce, draining }: News): void {
    this.#toldDraining = draining;
    for (const digest of announce?.add ?? []) this.#forget(digest, 'add');
    for (const digest of announce?.remove ?? []) this.#forget(digest, 'remove');
  }

  heard({ children = 0 }: SessionSnapshot): void {
    this.#children = children;
  }

  #note(digest: Digest, change: 'add' | 'remove'): void {
    if (change === 'add') this.#has.add(digest);
    else this.#has.delete(digest);
    this.#changes.set(digest, change);
  }

  #forget(digest: Digest, change: 'add' | 'remove'): void {
    if (this.#changes.get(digest) === change) this.#changes.delete(digest);
  }
}

function* firstOf<T>(all: Iterable<T>, count: number): Iterable<T> {
  let left = count;
  for (const one of all) {
    if (left <= 0) return;
    left -= 1;
    yield one;
  }
}
