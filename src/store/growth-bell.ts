import type { Digest } from '../core/digest.ts';

/** Tells those who read a blob that it has grown, where its writer is in the same process. */
export class GrowthBell {
  readonly #listeners = new Map<Digest, Set<() => void>>();

  ring(digest: Digest): void {
    for (const listener of this.#listeners.get(digest) ?? []) listener();
  }

  /** Answers how to stop. */
  listen(digest: Digest, listener: () => void): () => void {
    const listeners = this.#listeners.get(digest) ?? new Set();
    this.#listeners.set(digest, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(digest) === listeners) this.#listeners.delete(digest);
    };
  }
}
