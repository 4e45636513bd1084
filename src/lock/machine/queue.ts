/** Names somebody in a line. */
interface Keyed {
  readonly key: string;
}

interface Entry<Waiter> {
  readonly waiter: Waiter;
  index: number;
}

/**
 * Waiters in order of arrival. Adding, leaving and finding one take constant time, and so do positions as long as
 * only the head leaves; after others left, the next position asked for counts the line once.
 */
export class Queue<Waiter extends Keyed> implements Iterable<Waiter> {
  readonly #entries = new Map<string, Entry<Waiter>>();
  /** From `#start` on; holes where somebody left. */
  #line: (Entry<Waiter> | undefined)[] = [];
  #start = 0;
  #hasHoles = false;

  get size(): number {
    return this.#entries.size;
  }

  get head(): Waiter | undefined {
    this.#skipHoles();
    return this.#line[this.#start]?.waiter;
  }

  get(key: string): Waiter | undefined {
    return this.#entries.get(key)?.waiter;
  }

  add(waiter: Waiter): void {
    const entry = { waiter, index: this.#line.length };
    this.#entries.set(waiter.key, entry);
    this.#line.push(entry);
  }

  remove(waiter: Waiter): void {
    const entry = this.#entries.get(waiter.key);
    if (!entry) return;
    this.#entries.delete(waiter.key);
    this.#line[entry.index] = undefined;
    if (entry.index === this.#start) this.#skipHoles();
    else this.#hasHoles = true;
    if (this.#start > 64 && this.#start * 2 > this.#line.length) this.#renumber();
  }

  /** 1 for the head. */
  positionOf(waiter: Waiter): number {
    if (this.#hasHoles) this.#renumber();
    const entry = this.#entries.get(waiter.key);
    return entry ? entry.index - this.#start + 1 : 0;
  }

  sort(compare: (one: Waiter, other: Waiter) => number): void {
    this.#renumber((one, other) => compare(one.waiter, other.waiter));
  }

  *[Symbol.iterator](): Iterator<Waiter> {
    for (const entry of this.#line.slice(this.#start)) {
      if (entry && this.#entries.get(entry.waiter.key) === entry) yield entry.waiter;
    }
  }

  #skipHoles(): void {
    while (this.#start < this.#line.length && !this.#line[this.#start]) this.#start += 1;
  }

  #renumber(compare?: (one: Entry<Waiter>, other: Entry<Waiter>) => number): void {
    const line = this.#line.filter((entry) => entry !== undefined);
    if (compare) line.sort(compare);
    for (const [index, entry] of line.entries()) entry.index = index;
    this.#line = line;
    this.#start = 0;
    this.#hasHoles = false;
  }
}
