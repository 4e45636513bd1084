import type { Agent, IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { systemClock } from '../../../src/core/clock.ts';
import { digestOf } from '../../../src/core/digest.ts';
import type { ServerSentEvent } from '../../../src/http/sse.ts';
import { readEvents } from '../../../src/http/sse.ts';
import type { Locks } from '../../../src/lock/locks.ts';
import type { LockServerOptions } from '../../../src/lock/server/server.ts';
import { createLockServer } from '../../../src/lock/server/server.ts';

export const layer = digestOf(Buffer.from('layer 1'));

/** A lock service that fails every call but those that a test gives. */
export function fakeLocks(calls: Partial<Locks>): Locks {
  const unexpected = (name: string) => () => {
    throw new Error(`unexpected call of ${name}`);
  };
  const names = ['openSession', 'closeSession', 'renew', 'acquire', 'release', 'decline'] as const;
  const more = ['watch', 'watchResource', 'status', 'list'] as const;
  const missing = Object.fromEntries([...names, ...more].map((name) => [name, unexpected(name)]));
  return { ...(missing as unknown as Locks), close: async () => {}, ...calls };
}

export interface Running {
  readonly url: string;
  close(): Promise<void>;
}

const running: Running[] = [];

/** A real server on a free port; `stopServers` ends it. */
export async function serve(
  locks: Locks,
  options: Partial<Omit<LockServerOptions, 'locks'>> = {},
): Promise<Running> {
  const server = createLockServer({ clock: systemClock, ...options, locks });
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  const one = { url, close: () => server.close() };
  running.push(one);
  return one;
}

export async function stopServers(): Promise<void> {
  await Promise.all(running.splice(0).map((one) => one.close()));
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON, or undefined. */
  readonly body: Record<string, unknown>;
  readonly text: string;
}

export interface Asked {
  readonly headers?: Record<string, string>;
  readonly body?: string | object;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
}

/** One request as any client sends it; unlike `fetch` it sends a body with GET. */
export function ask(url: string, method: string, path: string, asked: Asked = {}): Promise<Answer> {
  const { headers = {}, body, agent = false } = asked;
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const length = text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url + path,
      { method, agent, headers: { ...length, ...headers } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const received = Buffer.concat(parts).toString();
          const { statusCode: status = 0, headers: fields } = response;
          resolve({ status, headers: fields, body: jsonOf(received), text: received });
        });
      },
    );
    request.on('error', reject);
    request.end(text);
  });
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

export interface Listening {
  readonly status: number;
  readonly headers: Answer['headers'];
  /** The next event; undefined when the stream ended. */
  next(): Promise<ServerSentEvent | undefined>;
  stop(): void;
}

/** Subscribes as a client with server-sent events does. */
export async function listenTo(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Listening> {
  const response = await getResponse(url + path, headers);
  const events = readEvents(response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    next: async () => (await events.next()).value ?? undefined,
    stop: () => void response.destroy(),
  };
}

/** A response whose body is read by the test. */
export function getResponse(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers, agent: false }, resolve).on('error', reject).end();
  });
}
