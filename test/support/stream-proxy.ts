import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onCleanup } from './cleanup.ts';

/** What a proxy does to the bytes of its answers. */
export type Carry = (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/** A proxy before a lock server that hands answers on in its own way. */
export async function startStreamProxy(target: string, carry: Carry): Promise<{ readonly url: string }> {
  const server = http.createServer((request, response) => {
    const upstream = http.request(new URL(request.url ?? '/', target), {
      ...{ method: request.method, headers: request.headers, agent: false },
    });
    upstream.on('response', (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      response.flushHeaders();
      response.socket?.setNoDelay(true);
      pipeline(carry(reply), response, () => response.destroy());
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    pipeline(request, upstream, () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}` };
}

/** Hands bytes on in pieces of up to `maxBytes`, each in a write of its own. */
export function inPieces(random: () => number, maxBytes: number): Carry {
  return async function* (bytes) {
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; ) {
        const end = at + 1 + Math.floor(random() * maxBytes);
        yield chunk.subarray(at, end);
        at = end;
        await nextTurn();
      }
    }
  };
}
