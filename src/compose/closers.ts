interface Closable {
  close(): Promise<void>;
}

/** Closes what was opened, last first, once. */
export class Closers {
  readonly #open: Closable[] = [];

  add<T extends Closable>(part: T): T {
    this.#open.push(part);
    return part;
  }

  async close(): Promise<void> {
    for (let part = this.#open.pop(); part; part = this.#open.pop()) await part.close();
  }
}
