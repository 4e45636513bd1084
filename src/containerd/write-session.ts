import type { Digest } from '../core/digest.ts';
import { alreadyExists, type Catalog, digestIn } from './catalog.ts';
import { type IncomingWrite, toTimestamp, type WriteResponse } from './proto/messages.ts';
import type { Progress, RefWriter } from './ref-writer.ts';
import { Refusal } from './refusal.ts';

export interface WriteSessionParts {
  readonly ref: string;
  readonly catalog: Catalog;
  /** Tells the client that its stream is over. */
  readonly tell: (error: unknown) => void;
  /** Removes what is there of the ref. */
  readonly discard: () => Promise<void>;
  /** Called when the ref is free again. */
  readonly onClose: () => void;
}

/** What one stream of Write does to its ref, message by message. */
export class WriteSession {
  readonly #parts: WriteSessionParts;
  #writer: RefWriter | undefined;
  #total = 0;
  #expected: Digest | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: WriteSessionParts) {
    this.#parts = parts;
  }

  /** @throws what `choose` throws; then the ref is free again */
  async begin(choose: () => Promise<RefWriter>): Promise<void> {
    try {
      this.#writer = await choose();
    } catch (error) {
      await this.close();
      throw error;
    }
    // It was ended while its writer was looked for.
    if (this.#closing) await this.#writer.close();
  }

  progress(): Progress | undefined {
    return this.#writer?.progress();
  }

  async answer(message: IncomingWrite): Promise<WriteResponse> {
    const writer = this.#current();
    await this.#noteWhatIsExpected(message, writer);
    switch (message.action) {
      case 'STAT':
        return this.#reply(message, writer.digest());
      case 'WRITE':
        await this.#write(message);
        return this.#reply(message, this.#current().digest());
      case 'COMMIT':
        return await this.#commit(message);
      default:
        throw new Refusal('invalidArgument', `the action ${message.action} is not known`);
    }
  }

  /** Ends the stream, too. */
  async abort(error: unknown, what: 'keep' | 'discard'): Promise<void> {
    this.#parts.tell(error);
    await this.close(what);
  }

  /** Keeps or removes what is there, then frees the ref. Idempotent. */
  close(what: 'keep' | 'discard' = 'keep'): Promise<void> {
    this.#closing ??= this.#close(what);
    return this.#closing;
  }

  async #close(what: 'keep' | 'discard'): Promise<void> {
    try {
      await this.#writer?.close();
      if (what === 'discard') await this.#parts.discard();
    } finally {
      this.#parts.onClose();
    }
  }

  #current(): RefWriter {
    if (!this.#writer || this.#closing)
      throw new Refusal('aborted', `the write of ${this.#parts.ref} is over`);
    return this.#writer;
  }

  async #noteWhatIsExpected(message: IncomingWrite, writer: RefWriter): Promise<void> {
    if (message.ref !== '' && message.ref !== this.#parts.ref) {
      throw new Refusal('invalidArgument', 'a stream writes one reference');
    }
    if (message.total > 0) this.#total = lengthOf(message.total, 'total');
    if (message.expected === '') return;
    this.#expected = digestIn(message.expected);
    // A flight ends well also where its blob is there by then.
    if (writer.progress().expected === this.#expected) return;
    if (!(await this.#parts.catalog.find(this.#expected))) return;
    await this.close('discard');
    throw alreadyExists(this.#expected);
  }

  async #write({ offset: stated, data }: IncomingWrite): Promise<void> {
    const offset = lengthOf(stated, 'offset');
    const { offset: current } = this.#current().progress();
    if (offset > 0 && offset !== current) {
      throw new Refusal('outOfRange', `write @${offset} must occur at current offset ${current}`);
    }
    if (offset === 0 && current > 0) this.#writer = await this.#current().restart();
    if (data.length > 0) await this.#current().write(data);
  }

  async #commit(message: IncomingWrite): Promise<WriteResponse> {
    await this.#write(message);
    const expectation = { total: this.#total, expected: this.#expected, labels: message.labels };
    const digest = await this.#current().commit(expectation);
    return this.#reply(message, digest);
  }

  #reply({ action }: IncomingWrite, digest: Digest | undefined): WriteResponse {
    const { offset, startedAtMs, updatedAtMs, total } = this.#current().progress();
    return {
      action,
      offset,
      startedAt: toTimestamp(startedAtMs),
      updatedAt: toTimestamp(updatedAtMs),
      total: this.#total || total,
      digest: digest ?? '',
    };
  }
}

/** @throws Refusal `outOfRange`, also for what a number cannot hold */
export function lengthOf(value: number, name: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Refusal('outOfRange', `the ${name} ${value} is not a length`);
}
