import { type Header, type Pack, pack } from 'tar-stream';
import type { Sink } from './sinks.ts';

type Entry = Pick<Header, 'name' | 'mode'> & Partial<Header>;

/** Archives of the same image are the same bytes, whoever writes them and whenever. */
const mtime = new Date(0);

/** A tar that is written to a sink while it grows; nothing but one piece is held in memory. */
export class TarWriter {
  readonly #pack: Pack = pack();
  readonly #pumped: Promise<void>;
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake = () => {};

  constructor(sink: Sink, signal: AbortSignal) {
    this.#pack.on('error', (error) => this.#fail(error));
    this.#pumped = this.#pump(sink, signal);
  }

  /** A file of exactly `size` bytes. */
  async addFile(name: string, size: number, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const entry = this.#add({ name, size, mode: 0o644 });
    for await (const piece of pieces) {
      this.#throwIfFailed();
      if (!entry.write(piece)) await this.#until((wake) => entry.once('drain', wake));
      this.#throwIfFailed();
    }
    await this.#until((wake) => {
      entry.once('close', wake);
      entry.end(undefined);
    });
    this.#throwIfFailed();
  }

  /** What is small enough to be held in memory. */
  addDocument(name: string, content: string | Uint8Array): void {
    this.#add({ name, mode: 0o644 }, Buffer.from(content));
  }

  addFolder(name: string): void {
    this.#add({ name: `${name}/`, type: 'directory', mode: 0o755 });
  }

  addLink(name: string, linkname: string): void {
    this.#add({ name, type: 'symlink', linkname, mode: 0o777 });
  }

  /** Writes the end. Answers the size of the archive, in bytes. */
  async end(): Promise<number> {
    this.#throwIfFailed();
    this.#pack.finalize();
    await this.#pumped;
    this.#throwIfFailed();
    return this.#bytes;
  }

  /** Ends without an end; resolves once nothing is written any more. */
  async abort(error: unknown): Promise<void> {
    this.#fail(error);
    await this.#pumped;
  }

  #add(header: Entry, content?: Buffer) {
    this.#throwIfFailed();
    const entry = content
      ? this.#pack.entry({ mtime, ...header }, content)
      : this.#pack.entry({ mtime, ...header });
    entry.on('error', (error) => this.#fail(error));
    return entry;
  }

  async #pump(sink: Sink, signal: AbortSignal): Promise<void> {
    try {
      for await (const chunk of this.#pack as AsyncIterable<Uint8Array>) {
        signal.throwIfAborted();
        await sink.write(chunk);
        this.#bytes += chunk.length;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The first failure counts: the others follow from it. */
  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#pack.destroy(error instanceof Error ? error : new Error(String(error)));
    this.#wake();
  }

  async #until(listen: (wake: () => void) => void): Promise<void> {
    await new Promise<void>((wake) => {
      this.#wake = wake;
      if (this.#failure) wake();
      else listen(wake);
    });
  }

  #throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }
}

/** Fills an archive and publishes it, or leaves nothing behind. Answers its size in bytes. */
export async function writeArchive(
  sink: Sink,
  signal: AbortSignal,
  fill: (tar: TarWriter) => Promise<void>,
): Promise<number> {
  const tar = new TarWriter(sink, signal);
  try {
    await fill(tar);
    const bytes = await tar.end();
    signal.throwIfAborted();
    await sink.commit();
    return bytes;
  } catch (error) {
    await tar.abort(error);
    await sink.discard();
    signal.throwIfAborted();
    throw error;
  }
}
