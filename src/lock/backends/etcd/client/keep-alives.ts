import type { Calls, EtcdStream } from './calls.ts';
import { Silence } from './failures.ts';
import type { LeaseIdMessage, LeaseKeepAliveReply } from './messages.ts';

export interface KeepAliveEvents {
  /** A stream is open, of which nothing was asked. */
  readonly onOpen: () => void;
  readonly onReply: (reply: LeaseKeepAliveReply) => void;
  /** What was asked for is not answered any more. */
  readonly onBroken: () => void;
}

/** The one stream on which all leases are kept. */
export class KeepAlives {
  readonly #calls: Calls;
  readonly #events: KeepAliveEvents;
  readonly #ended = new AbortController();
  #stream: EtcdStream<LeaseIdMessage, LeaseKeepAliveReply> | undefined;
  #isOpening = false;
  #isSilent = false;

  constructor(calls: Calls, events: KeepAliveEvents) {
    this.#calls = calls;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  /** Begins to open a stream, unless that is under way. Fails in silence: who needs it asks again. */
  open(): void {
    if (this.#stream || this.#isOpening || this.#ended.signal.aborted) return;
    this.#isOpening = true;
    void this.#open().finally(() => {
      this.#isOpening = false;
    });
  }

  ask(id: number): void {
    this.#stream?.stream.write({ ID: id });
  }

  /** Its member answers nothing: the next stream is one to another. */
  giveUp(): void {
    this.#isSilent = true;
    this.#stream?.stream.cancel();
  }

  close(): void {
    this.#ended.abort();
    this.#stream?.stream.cancel();
  }

  async #open(): Promise<void> {
    try {
      const { methods } = this.#calls;
      this.#stream = await this.#calls.open(methods.leaseKeepAlive, this.#ended.signal);
    } catch {
      return;
    }
    void this.#read(this.#stream);
    this.#events.onOpen();
  }

  async #read({ stream, member }: EtcdStream<LeaseIdMessage, LeaseKeepAliveReply>): Promise<void> {
    this.#isSilent = false;
    try {
      for await (const reply of stream) this.#events.onReply(reply as LeaseKeepAliveReply);
    } catch (error) {
      if (!this.#ended.signal.aborted)
        this.#calls.streamError(member, this.#isSilent ? new Silence(this.#calls.callMs) : error);
    }
    this.#stream = undefined;
    this.#events.onBroken();
  }
}
