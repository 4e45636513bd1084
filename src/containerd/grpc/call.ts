import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { type GrpcFailure, Refusal, toFailure } from '../refusal.ts';
import { Frames, framed, type Message } from './frames.ts';

const headers = { ':status': 200, 'content-type': 'application/grpc' } as const;

/** One call of a client: its messages, the answers to them, and one end. */
export class GrpcCall {
  readonly #stream: ServerHttp2Stream;
  readonly #frames: Frames;
  readonly #messages: Message[] = [];
  #refusal: unknown;
  #hasAll = false;
  #hasEnded = false;
  #wakeReader: () => void = () => {};
  #wakeSender: () => void = () => {};
  #onGone: (() => void) | undefined;

  /** @param maxBytes of one message */
  constructor(stream: ServerHttp2Stream, maxBytes: number) {
    this.#stream = stream;
    this.#frames = new Frames(maxBytes);
    stream.on('data', (piece: Buffer) => this.#receive(piece));
    stream.once('end', () => this.#receiveEnd());
    // The stream closes after an error, and who waits for it hears that.
    stream.on('error', () => {});
    // While bytes wait to be received, a stream that its client left is aborted and not yet closed.
    stream.once('aborted', () => this.#leave()).once('close', () => this.#leave());
  }

  /** Whether it has ended, or the client went away. Nobody is left to be told of anything. */
  get isOver(): boolean {
    return this.#hasEnded || this.#stream.closed || this.#stream.destroyed;
  }

  /** Hears it once when the client goes away before the end. */
  onGone(listener: () => void): void {
    this.#onGone = listener;
  }

  /** Undefined when no more comes. The one after is received only when it is asked for. @throws Refusal */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      if (this.#refusal) throw this.#refusal;
      if (this.#hasAll || this.isOver) return undefined;
      this.#stream.resume();
      await this.#news();
    }
  }

  /** Resolves when there is room for more. @throws Refusal `cancelled` when it is over */
  async send(message: Uint8Array): Promise<void> {
    if (this.isOver) throw gone();
    this.#answer();
    if (!this.#stream.write(framed(message))) await this.#drained();
  }

  /** What is called after the first time does nothing. */
  end(failure?: GrpcFailure): void {
    if (this.isOver) return;
    this.#hasEnded = true;
    if (failure && !this.#stream.headersSent)
      this.#stream.respond({ ...headers, ...trailersOf(failure) }, { endStream: true });
    else this.#finish(trailersOf(failure));
    // What else comes is dropped.
    this.#stream.resume();
    this.#wakeReader();
  }

  #finish(trailers: OutgoingHttpHeaders): void {
    this.#answer();
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(trailers));
    this.#stream.end();
  }

  #answer(): void {
    if (!this.#stream.headersSent) this.#stream.respond(headers, { waitForTrailers: true });
  }

  #receive(piece: Buffer): void {
    if (this.#hasEnded || this.#refusal) return;
    try {
      this.#frames.add(piece);
      for (let message = this.#frames.next(); message; message = this.#frames.next())
        this.#messages.push(message);
    } catch (error) {
      this.#refusal = error;
    }
    if (this.#messages.length === 0 && !this.#refusal) return;
    this.#stream.pause();
    this.#wakeReader();
  }

  #receiveEnd(): void {
    this.#hasAll = true;
    if (!this.#frames.isEmpty) this.#refusal ??= new Refusal('internal', 'the last message is not whole');
    this.#wakeReader();
  }

  #leave(): void {
    this.#wakeReader();
    this.#wakeSender();
    if (!this.#hasEnded) this.#onGone?.();
    this.#onGone = undefined;
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeReader = resolve;
    });
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wakeSender = resolve;
      this.#stream.once('drain', resolve);
    });
    if (this.isOver) throw gone();
  }
}

function trailersOf(failure: GrpcFailure | undefined): OutgoingHttpHeaders {
  if (!failure) return { 'grpc-status': 0 };
  return { 'grpc-status': failure.code, 'grpc-message': percentEncoded(failure.details) };
}

/** What is no text is replaced: a lone half of a character cannot be encoded. */
function percentEncoded(text: string): string {
  return encodeURI(Buffer.from(text).toString());
}

function gone(): Refusal {
  return new Refusal('cancelled', 'the call is over');
}

/** Ends a call of which nobody knows what it is. */
export function refuseCall(stream: ServerHttp2Stream, path: unknown): void {
  new GrpcCall(stream, 0).end(toFailure(new Refusal('unimplemented', `there is no call ${String(path)}`)));
}
