import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { crawl } from './gate-proxy.ts';

export interface LiarOptions {
  readonly lockUrl: string;
  /** Where it listens, and what others reach it by. Default 127.0.0.1. */
  readonly address?: string;
  /** What it says it has. */
  readonly digests: readonly string[];
  /** Name of the node. Default `liar`. */
  readonly node?: string;
}

/** A peer that says it has every blob and sends noise in place of their bytes. */
export interface Liar {
  /** Bytes that it gave so far. */
  sent(): number;
  /** Gives so many bytes of each blob at once, and then so few that it is only not silent, until it is opened again. */
  crawl(bytes: number): void;
  open(): void;
  close(): void;
}

const heartbeatMs = 1_000;
const noise = randomBytes(65_536);

/** Resolves once the lock server knows of it. */
export async function startLiar(options: LiarOptions): Promise<Liar> {
  const { lockUrl, address = '127.0.0.1', digests, node = 'liar' } = options;
  const gate = new Gate();
  const server = http.createServer((request, response) => answer(request, response, gate));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://${address}:${port}`;
  const session = await ask(lockUrl, 'POST', '/sessions', {
    ...{ node_id: node, store_id: `store-of-${node}`, url },
  });
  const beat = (add: readonly string[]) =>
    ask(lockUrl, 'PUT', `/sessions/${session['session_id']}`, { held: [], announce: { add, remove: [] } });
  await beat(digests);
  // The lock server may be gone; then nobody asks for a liar either.
  const beating = setInterval(() => void beat([]).catch(() => {}), heartbeatMs);
  return {
    sent: () => gate.sent,
    crawl: (bytes) => gate.crawl(bytes),
    open: () => gate.open(),
    close: () => {
      clearInterval(beating);
      gate.open();
      server.close();
      server.closeAllConnections();
    },
  };
}

class Gate {
  sent = 0;
  #until = Number.POSITIVE_INFINITY;
  #crawling: NodeJS.Timeout | undefined;
  #onMove: (() => void)[] = [];

  crawl(bytes: number): void {
    this.#until = bytes;
    this.#crawling = setInterval(() => this.#moveTo(this.#until + crawl.bytes), crawl.everyMs);
  }

  open(): void {
    clearInterval(this.#crawling);
    this.#moveTo(Number.POSITIVE_INFINITY);
  }

  #moveTo(bytes: number): void {
    this.#until = bytes;
    for (const go of this.#onMove.splice(0)) go();
  }

  /** How many of `bytes` may go, where `position` is reached; calls `go` later if none may. */
  allow(position: number, bytes: number, go: () => void): number {
    const allowed = Math.min(bytes, Math.max(0, this.#until - position));
    if (allowed === 0) this.#onMove.push(go);
    this.sent += allowed;
    return allowed;
  }
}

function answer(request: http.IncomingMessage, response: http.ServerResponse, gate: Gate): void {
  const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (!asked) return void response.writeHead(200, { 'content-length': 0 }).end();
  const [from = 0, to = 0] = asked.slice(1).map(Number);
  response.writeHead(206, {
    'content-range': `bytes ${from}-${to}/${to + 1}`,
    'content-length': to - from + 1,
    'content-type': 'application/octet-stream',
  });
  if (request.method === 'HEAD') return void response.end();
  response.flushHeaders();
  send(response, from, to, gate);
}

function send(response: http.ServerResponse, from: number, to: number, gate: Gate): void {
  let position = from;
  const more = () => {
    while (position <= to && !response.destroyed) {
      const bytes = gate.allow(position, Math.min(noise.length, to + 1 - position), more);
      if (bytes === 0) return;
      position += bytes;
      if (!response.write(noise.subarray(0, bytes))) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

async function ask(lockUrl: string, method: string, path: string, body: unknown) {
  const response = await fetch(new URL(path, lockUrl), {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  const answered: Record<string, unknown> = JSON.parse(text);
  return answered;
}
