import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { startDeadline } from '../../core/abort.ts';
import type { Clock } from '../../core/clock.ts';
import { LayerpullError } from '../../core/errors.ts';
import { GrpcCall, refuseCall } from './call.ts';

/** Serves one call, to its end. Never rejects. */
export type Handler = (call: GrpcCall) => Promise<void>;

export interface GrpcServerOptions {
  /** By path, such as `/package.Service/Method`. */
  readonly handlers: ReadonlyMap<string, Handler>;
  /** Largest message, in bytes. */
  readonly maxMessageBytes: number;
  readonly clock: Clock;
}

/** Bytes that a client may send ahead on one stream: two of its usual messages. The default lets it wait 16 times in each. */
const streamWindowBytes = 2 * 1_048_576;
/** The same for one client. What came ahead of its use lies in memory. */
const sessionWindowBytes = 16 * 1_048_576;
/** In megabytes; what may lie in memory is bounded by the windows, and above this Node ends streams. */
const sessionMemory = 1_024;
/** Calls that are under way at the end are given this long. */
const endMs = 1_000;

/** gRPC over HTTP/2 on a Unix socket, for clients that are trusted: neither TLS nor compression. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#server = createServer({
      settings: { initialWindowSize: streamWindowBytes },
      maxSessionMemory: sessionMemory,
    });
    this.#server.on('session', (session) => this.#welcome(session));
    this.#server.on('stream', (stream, headers) => this.#serve(stream, headers));
  }

  /** @throws LayerpullError `usage` */
  async listen(socket: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => {
        reject(new LayerpullError('usage', `cannot listen: ${error.message}`, { cause: error }));
      });
      this.#server.listen(socket, resolve);
    });
  }

  /** Takes no more calls, and waits a moment for those that are under way. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    const late = () => new Error('the calls take too long');
    const { signal, end } = startDeadline(this.#options.clock, endMs, undefined, late);
    signal.addEventListener('abort', () => this.#cutOff(), { once: true });
    await closed;
    end();
  }

  #cutOff(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #welcome(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.setLocalWindowSize(sessionWindowBytes);
  }

  #serve(stream: ServerHttp2Stream, { ':path': path = '' }: IncomingHttpHeaders): void {
    const handler = this.#options.handlers.get(path);
    if (handler) void handler(new GrpcCall(stream, this.#options.maxMessageBytes));
    else refuseCall(stream, path);
  }
}
