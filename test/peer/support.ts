import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { toNodeId, toSessionId } from '../../src/core/ids.ts';
import { silentLog } from '../../src/core/log.ts';
import { openFleetTrust, type TrustFiles } from '../../src/http/fleet-trust.ts';
import { createServing } from '../../src/http/serving.ts';
import type { PeerSource, Source, SourceGuide, SourceRequest } from '../../src/lock/sources.ts';
import { createPeers, type PeersOptions } from '../../src/peer/client.ts';
import { createPeerServer, type PeerServerOptions } from '../../src/peer/server.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import type { TestBlob } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { madeBytes } from '../support/fake-registry/content.ts';
import { tempDir } from '../support/temp.ts';

export const never = new AbortController().signal;

export function madeLayer(size: number): TestBlob {
  const bytes = madeBytes('peers', size);
  return { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(bytes), size, bytes };
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A store, and a peer server over it. */
export async function startPeer(options: Partial<PeerServerOptions> = {}) {
  const folder = path.join(tempDir(), 'store');
  const { blobs, growing } = await openStore({ path: folder, clock: systemClock });
  const server = createPeerServer({ blobs: growing, clock: systemClock, ...options });
  onCleanup(() => server.close());
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  const begin = (layer: TestBlob, session = 'writer') =>
    blobs.ingest(layer, { session: toSessionId(session) });
  const put = async (layer: TestBlob) => {
    const ingest = await begin(layer);
    await ingest.write(layer.bytes);
    await ingest.commit();
  };
  return { folder, url, server, begin, put };
}

/** How a member of the fleet of these files serves, and whom it trusts. */
export function memberOf(files: TrustFiles) {
  const trust = openFleetTrust({ files, clock: systemClock, log: silentLog });
  const serving = createServing(trust);
  onCleanup(() => {
    serving.close();
    trust.close();
  });
  return { trust, serving };
}

export function testPeers(options: Partial<PeersOptions> = {}) {
  const peers = createPeers({ userAgent: 'test', clock: systemClock, ...options });
  onCleanup(() => peers.close());
  return peers;
}

/** A server that answers as `answer` does. */
export async function startServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function peerAt(url: string, complete = true, name = url): PeerSource {
  return { kind: 'peer', url, sessionId: toSessionId(name), nodeId: toNodeId(name), complete };
}

export const registrySource: Source = { kind: 'registry' };

export type Report = Pick<SourceRequest, 'offset' | 'bad'>;

export interface FakeGuide extends SourceGuide {
  readonly reports: readonly Report[];
  /** Who was reported as bad, with the reasons. */
  blamed(): string[];
  move(source: Source): void;
  /** Whether somebody listens. */
  listeners(): number;
}

/** A guide that names `first`, and then the answers in their order; the registry when there are no more. */
export function fakeGuide(first: Source, answers: readonly (Source | ((report: Report) => Source))[] = []) {
  const reports: Report[] = [];
  const listeners = new Set<(source: Source) => void>();
  let source = first;
  const guide: FakeGuide = {
    get source() {
      return source;
    },
    reports,
    blamed: () => reports.flatMap(({ bad }) => (bad ? [`${bad.sessionId}: ${bad.reason}`] : [])),
    onMove(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    move(to) {
      source = to;
      for (const listener of listeners) listener(to);
    },
    listeners: () => listeners.size,
    async next(report, signal) {
      signal.throwIfAborted();
      const answer = answers[reports.length] ?? registrySource;
      reports.push(report);
      source = typeof answer === 'function' ? answer(report) : answer;
      return source;
    },
  };
  return guide;
}

/** A clock whose long spans are short, so that silence is noticed soon. */
export function hurried(factor: number): Clock {
  return {
    ...systemClock,
    now: () => systemClock.now() * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
    every: (ms, callback) => systemClock.every(ms / factor, callback),
  };
}
