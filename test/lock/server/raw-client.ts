import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A client that sends and reads bytes as a test says, and never closes on its own. */
export interface RawClient {
  readonly socket: Socket;
  write(bytes: string | Uint8Array): void;
  /** All that was received so far. */
  text(): string;
  /** Resolves once what was received has this; fails when the connection ends without it. */
  received(part: string | RegExp): Promise<string>;
  /** Resolves, with all that was received, once the server has ended the connection or reset it. */
  ended(): Promise<string>;
  /** Ends the connection from this side and waits until it is closed. */
  close(): Promise<void>;
}

const clients: Socket[] = [];

/** Cuts all connections that tests have left open. */
export function dropClients(): void {
  for (const socket of clients.splice(0)) socket.destroy();
}

export async function connectRaw(url: string): Promise<RawClient> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  const parts: Buffer[] = [];
  let isOver = false;
  const over = () => {
    isOver = true;
    socket.emit('news');
  };
  socket.on('data', (part) => {
    parts.push(part);
    socket.emit('news');
  });
  socket.on('end', over).on('close', over);
  // A reset is a way to end, as far as tests are concerned.
  socket.on('error', over);
  const text = () => Buffer.concat(parts).toString();
  await once(socket, 'connect');
  return {
    socket,
    text,
    write: (bytes) => void socket.write(bytes),
    async received(part) {
      for (;;) {
        if (typeof part === 'string' ? text().includes(part) : part.test(text())) return text();
        if (isOver) throw new Error(`the connection ended after ${JSON.stringify(text())}`);
        await once(socket, 'news');
      }
    },
    async ended() {
      while (!isOver) await once(socket, 'news');
      return text();
    },
    async close() {
      if (socket.closed) return;
      const closed = once(socket, 'close');
      socket.end();
      socket.resume();
      await closed;
    },
  };
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: Record<string, unknown>;
}

/** The answers in what was received, each with its `content-length`. */
export function answersIn(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let rest = text; rest !== ''; ) {
    const [head = '', after = ''] = rest.split(/\r\n\r\n(.*)/s);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    const body = Buffer.from(after).subarray(0, length).toString();
    answers.push({
      status: Number(head.split(' ')[1]),
      head: head.toLowerCase(),
      body: body === '' ? {} : JSON.parse(body),
    });
    rest = Buffer.from(after).subarray(length).toString();
  }
  return answers;
}

/** One request as bytes. */
export function rawRequest(line: string, body?: string | object, headers: readonly string[] = []): string {
  const text = typeof body === 'object' ? JSON.stringify(body) : (body ?? '');
  const length = body === undefined ? [] : [`content-length: ${Buffer.byteLength(text)}`];
  return [`${line} HTTP/1.1`, 'host: test', ...length, ...headers, '', text].join('\r\n');
}
