// A peer that says it has every blob and sends noise in place of their bytes:
// liar LOCK-SERVER-URL OWN-ADDRESS DIGEST...; it says "announced" once the lock server knows of it.
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const [lockUrl = '', address = '', ...digests] = process.argv.slice(2);
const heartbeatMs = 1_000;
const noise = randomBytes(65_536);

const server = http.createServer(answer).listen(0, address, () => void announce());

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (!asked) return void response.writeHead(200, { 'content-length': 0 }).end();
  const [from = 0, to = 0] = asked.slice(1).map(Number);
  response.writeHead(206, {
    'content-range': `bytes ${from}-${to}/${to + 1}`,
    'content-length': to - from + 1,
    'content-type': 'application/octet-stream',
  });
  if (request.method === 'HEAD') return void response.end();
  send(response, to - from + 1);
}

function send(response: http.ServerResponse, bytes: number): void {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const piece = noise.subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

async function announce(): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const session = await ask('POST', '/sessions', {
    node_id: 'liar',
    store_id: 'store-of-the-liar',
    url: `http://${address}:${port}`,
  });
  const heartbeat = async (add: readonly string[]) => {
    await ask('PUT', `/sessions/${session['session_id']}`, { held: [], announce: { add, remove: [] } });
  };
  await heartbeat(digests);
  process.stdout.write('announced\n');
  // The lock server may be gone; then nobody asks for a liar either.
  setInterval(() => void heartbeat([]).catch(() => {}), heartbeatMs);
}

async function ask(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(new URL(path, lockUrl), {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}
