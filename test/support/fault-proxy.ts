import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline, type Transform } from 'node:stream';
import { deferred } from '../../src/core/abort.ts';
import { onCleanup } from './cleanup.ts';

export interface PassedReply {
  /** Such as `POST /lock`, without a query. */
  readonly what: string;
  readonly status: number;
  /** The server answered and the client never heard. */
  readonly wasLost: boolean;
}

export interface FaultProxy {
  /** Reach the server through this. */
  readonly url: string;
  /** Every reply of the server, in its order. */
  readonly replies: readonly PassedReply[];
  /** Lets the next such request through and breaks the connection instead of answering. Resolves once it did. */
  loseReply(what: string): Promise<void>;
  /** Breaks every connection at once. Answers with how many there were. */
  cut(): number;
}

export interface FaultProxyOptions {
  /** Made for each event stream; its bytes go through. One that fails breaks the stream. */
  readonly garble?: () => Transform;
}

/** A proxy before a lock server that loses what a test tells it to lose. */
export async function startFaultProxy(
  upstream: string,
  options: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const replies: PassedReply[] = [];
  const losses = new Map<string, () => void>();
  const clients = new Set<Socket>();
  const server = http.createServer((request, response) => {
    const what = `${request.method} ${request.url?.replace(/\?.*/, '')}`;
    forward(upstream, request, response, (answer) => {
      const lost = losses.get(what);
      losses.delete(what);
      replies.push({ what, status: answer.statusCode ?? 0, wasLost: lost !== undefined });
      if (lost)
        answer
          .resume()
          .once('end', () => response.destroy())
          .once('close', lost);
      else hand(answer, response, options);
    });
  });
  server.on('connection', (socket: Socket) => {
    clients.add(socket.once('close', () => clients.delete(socket)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    const count = clients.size;
    for (const socket of clients) socket.destroy();
    return count;
  };
  onCleanup(() => {
    server.close();
    cut();
  });
  const loseReply = (what: string) => {
    const done = deferred<void>();
    losses.set(what, done.resolve);
    return done.promise;
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, replies, loseReply, cut };
}

function forward(
  upstream: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  onAnswer: (answer: http.IncomingMessage) => void,
): void {
  const { method, headers } = request;
  const onward = http.request(new URL(request.url ?? '/', upstream), { method, headers, agent: false });
  onward.once('response', onAnswer);
  onward.on('error', () => response.destroy());
  // A client that goes takes its stream with it.
  response.once('close', () => onward.destroy());
  pipeline(request, onward, () => {});
}

function hand(
  answer: http.IncomingMessage,
  response: http.ServerResponse,
  { garble }: FaultProxyOptions,
): void {
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  const isStream = answer.headers['content-type']?.startsWith('text/event-stream');
  // A stream that has nothing to say yet must still be seen to begin.
  if (isStream) response.flushHeaders();
  if (isStream && garble) pipeline(answer, garble(), response, () => {});
  else pipeline(answer, response, () => {});
}
