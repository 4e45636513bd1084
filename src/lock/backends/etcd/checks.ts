import type { Checked } from './replica/cluster.ts';

/** How many entries back servers compare what they came to. */
const maxKept = 2_000;

/**
 * What the check of the cluster was behind each of the last entries. All servers come to the same; one that does not,
 * by a fault of its memory or of ours, must not answer for the others.
 */
export class Checks {
  readonly #byRevision = new Map<number, number>();

  note({ revision, check }: Checked): void {
    this.#byRevision.set(revision, check);
    const [oldest] = this.#byRevision.keys();
    if (this.#byRevision.size > maxKept && oldest !== undefined) this.#byRevision.delete(oldest);
  }

  /** Whether another server came to something else at an entry that is still known here. */
  contradict({ revision, check }: Checked): boolean {
    const own = this.#byRevision.get(revision);
    return own !== undefined && own !== check;
  }
}
