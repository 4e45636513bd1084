/** Takes exact numbers of bytes out of pieces of any size. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Whether nothing comes any more. */
  async isAtEnd(): Promise<boolean> {
    while (this.#left.length === 0) {
      const { done, value } = await this.#pieces.next();
      if (done) return true;
      this.#left = value;
    }
    return false;
  }

  /** @throws RangeError when fewer come */
  async take(count: number): Promise<Buffer> {
    const taken = Buffer.alloc(count);
    await this.#each(count, (piece, at) => taken.set(piece, at));
    return taken;
  }

  /** @throws RangeError when fewer come */
  async skip(count: number): Promise<void> {
    await this.#each(count, () => {});
  }

  /** Lets go of what is not read. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #each(count: number, use: (piece: Uint8Array, at: number) => void): Promise<void> {
    for (let at = 0; at < count; ) {
      if (await this.isAtEnd()) throw new RangeError('unexpected end');
      const piece = this.#left.subarray(0, count - at);
      this.#left = this.#left.subarray(piece.length);
      use(piece, at);
      at += piece.length;
    }
  }
}
