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
  open(): void;
  /** Resolves once `count` blob answers wait at the gate. */
  waiting(count: number): Promise<void>;
  /**
   * Bytes of blobs that went through to those who asked. The registry may count more: what it sent ahead to the gate,
   * for somebody who broke off, got no further.
   */
  blobBytes(): number;
}

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
    open: gate.open,
    waiting: gate.waiting,
    blobBytes: gate.blobBytes,
  };
}

function createGate() {
  let limit = Number.POSITIVE_INFINITY;
  let opened = deferred<void>();
  let waiters = 0;
  let blobBytes = 0;
  let changed = deferred<void>();

  const waitHere = async () => {
    waiters += 1;
    changed.resolve();
    await opened.promise;
    waiters -= 1;
  };

  return {
    shut(afterBytes: number) {
      limit = afterBytes;
      opened = deferred();
    },
    open() {
      limit = Number.POSITIVE_INFINITY;
      opened.resolve();
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
        const before = Math.max(0, Math.min(piece.length, limit - passed));
        blobBytes += before;
        yield piece.subarray(0, before);
        if (before < piece.length) {
          await waitHere();
          if (isClosed()) return;
          blobBytes += piece.length - before;
          yield piece.subarray(before);
        }
        passed += piece.length;
      }
    },
  };
}
