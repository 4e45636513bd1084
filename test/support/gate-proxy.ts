import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { deferred } from '../../src/core/abort.ts';
import { onCleanup } from './cleanup.ts';

export interface GateProxy {
  /** `127.0.0.1:PORT`: pull through this. */
  readonly host: string;
  /** From now on each blob stops after `afterBytes` until `open` is called. */
  shut(afterBytes: number): void;
  /** As `shut`, but nobody who waits at the gate takes it for silent: each blob goes on by some KiB a second. */
  crawl(afterBytes: number): void;
  open(): void;
  /** Resolves once `count` blob answers wait at the gate. */
  waiting(count: number): Promise<void>;
  /**
   * Bytes of blobs that went through to those who asked. The registry may count more: what it sent ahead to the gate,
   * for somebody who broke off, got no further.
   */
  blobBytes(): number;
}

/** More than what makes a node leave a source as too slow. */
export const crawl = { bytes: 4_096, everyMs: 100 };

/** A proxy before a registry that can hold blobs back in the middle, so that a test decides how far a pull gets. */
export async function startGateProxy(registry: { readonly host: string }): Promise<GateProxy> {
  const gate = createGate();
  const server = http.createServer((request, response) => {
    const upstream = http.request(
      `http://${registry.host}${request.url}`,
      { method: request.method, headers: { ...request.headers, host: registry.host } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        const isBlob = request.method === 'GET' && /\/blobs\/sha\d+:/.test(request.url ?? '');
        pipeline(isBlob ? gate.pass(answer, () => response.destroyed) : answer, response, () => {});
      },
    );
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    pipeline(request, upstream, () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    gate.open();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    shut: gate.shut,
    crawl: gate.crawl,
    open: gate.open,
    waiting: gate.waiting,
    blobBytes: gate.blobBytes,
  };
}

function createGate() {
  let limit = Number.POSITIVE_INFINITY;
  let moved = deferred<void>();
  let crawling: NodeJS.Timeout | undefined;
  let waiters = 0;
  let blobBytes = 0;
  let changed = deferred<void>();

  const waitHere = async () => {
    waiters += 1;
    changed.resolve();
    await moved.promise;
    waiters -= 1;
  };
  const moveTo = (bytes: number) => {
    limit = bytes;
    moved.resolve();
    moved = deferred();
  };
  const shut = (afterBytes: number) => {
    clearInterval(crawling);
    limit = afterBytes;
  };

  return {
    shut,
    crawl(afterBytes: number) {
      shut(afterBytes);
      crawling = setInterval(() => moveTo(limit + crawl.bytes), crawl.everyMs);
    },
    open() {
      clearInterval(crawling);
      moveTo(Number.POSITIVE_INFINITY);
    },
    async waiting(count: number) {
      while (waiters < count) {
        await changed.promise;
        changed = deferred();
      }
    },
    blobBytes: () => blobBytes,
    async *pass(bytes: AsyncIterable<Buffer>, isClosed: () => boolean) {
      let passed = 0;
      for await (const piece of bytes) {
        let rest = piece;
        while (rest.length > 0) {
          const may = Math.max(0, Math.min(rest.length, limit - passed));
          if (may === 0) {
            await waitHere();
            if (isClosed()) return;
            continue;
          }
          blobBytes += may;
          passed += may;
          yield rest.subarray(0, may);
          rest = rest.subarray(may);
        }
      }
    },
  };
}
