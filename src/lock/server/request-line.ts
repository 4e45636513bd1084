import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WireReply } from '../protocol/replies.ts';
import { bodyLimitOf } from './body.ts';
import { wireError } from './errors.ts';

/** Requests that may wait on one connection for the one before them. */
const maxWaiting = 64;

export interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client sends its body once it is told to. */
  readonly awaitsContinue?: boolean;
}

export interface RequestLineDeps {
  readonly handler: RequestListener;
  /** The last answer on the connection. */
  leave(socket: Socket, reply: WireReply): void;
  replied(socket: Socket): void;
  /** Nothing is under way any more. */
  idle(socket: Socket): void;
}

/**
 * The requests of one connection, one after the other: a client that does not wait for answers means its requests in
 * their order (RFC 9112, section 9.3.2), and one that does not read them costs the memory of one answer. What cannot
 * be read as a request is answered in its turn as well.
 */
export class RequestLine {
  readonly #socket: Socket;
  readonly #deps: RequestLineDeps;
  #current: Turn | undefined;
  #waiting: Turn[] = [];
  /** The answer to what follows the requests in line; nothing is read after it. */
  #failure: WireReply | undefined;
  /** The last request was answered before all of it had come. */
  #isCutShort = false;

  constructor(socket: Socket, deps: RequestLineDeps) {
    this.#socket = socket;
    this.#deps = deps;
  }

  get isIdle(): boolean {
    return this.#current === undefined;
  }

  /** The request that is under way. */
  get url(): string | undefined {
    return this.#current?.request.url;
  }

  take(turn: Turn): void {
    if (this.#failure) return;
    if (!this.#current) this.#run(turn);
    else if (this.#waiting.length < maxWaiting) this.#waiting.push(turn);
    else this.fail(wireError(503, `${maxWaiting} requests wait on this connection already`, 'full'));
  }

  /** Answers with `failure`, after the requests before it, and closes. */
  fail(failure: WireReply): void {
    if (this.#failure) return;
    this.#failure = failure;
    const current = this.#current;
    // Where the one under way was read whole, it is a later one that failed.
    if (current?.request.complete) return;
    if (current?.response.headersSent) this.#socket.destroy();
    else this.#leave();
  }

  #run(turn: Turn): void {
    const { request, response, awaitsContinue } = turn;
    this.#current = turn;
    response.once('close', () => this.#ended(turn));
    // A body that is too long is refused by its length, before any of it is sent.
    const isTooLong = Number(request.headers['content-length']) > bodyLimitOf(request);
    if (awaitsContinue && !isTooLong) response.writeContinue();
    this.#deps.handler(request, response);
  }

  #ended({ request }: Turn): void {
    this.#current = undefined;
    this.#isCutShort = !request.complete;
    this.#deps.replied(this.#socket);
    const next = this.#waiting.shift();
    if (!this.#socket.writable) this.#waiting = [];
    else if (next && (next.request.complete || !this.#failure)) this.#run(next);
    else if (this.#failure) this.#leave();
    else this.#deps.idle(this.#socket);
  }

  #leave(): void {
    this.#waiting = [];
    if (this.#failure && !this.#isCutShort) this.#deps.leave(this.#socket, this.#failure);
    else this.#socket.destroy();
  }
}
