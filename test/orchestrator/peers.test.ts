import { describe, expect, it } from 'vitest';
import type { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId, toSessionId } from '../../src/core/ids.ts';
import type { Source, SourceGuide } from '../../src/lock/locks.ts';
import { boundedPeers, type PeerReading } from '../../src/orchestrator/peers.ts';
import { blobOf } from '../support/blobs.ts';
import { scripted } from '../support/scripted-sources.ts';

const layer = blobOf('the bytes of one layer');
const registry = scripted('registry', layer.bytes);

function peerAt(node: string): Extract<Source, { kind: 'peer' }> {
  const session = toSessionId(`session-${node}`);
  return {
    kind: 'peer',
    url: `http://${node}:7041`,
    nodeId: toNodeId(node),
    sessionId: session,
    complete: true,
  };
}

/** Names these in turn, whatever was reported; remembers the reports. */
function guideTo(...named: Source[]) {
  let source: Source = named.shift() ?? { kind: 'registry' };
  const reports: (string | undefined)[] = [];
  const listeners = new Set<(source: Source) => void>();
  const guide: SourceGuide = {
    get source() {
      return source;
    },
    onMove: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async next({ bad }) {
      reports.push(bad?.sessionId);
      source = named.shift() ?? { kind: 'registry' };
      return source;
    },
  };
  const move = (to: Source) => {
    for (const listener of listeners) listener(to);
  };
  return { guide, reports, move };
}

/** Peers that give nothing, but those in `talking`, which give a byte and then no more. */
function reading(talking: readonly string[] = []): PeerReading & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    guided: (guide, source) => ({
      url: source.url,
      async *open(blob, request) {
        let offset = request.offset ?? 0;
        let from = guide.source;
        while (from.kind === 'peer') {
          const { url, sessionId, nodeId } = from;
          asked.push(nodeId);
          request.onSource?.({ url, offset });
          if (talking.includes(nodeId)) {
            yield layer.bytes.subarray(offset, offset + 1);
            offset += 1;
          }
          from = await guide.next({ offset, bad: { sessionId, reason: 'silent' } }, request.signal);
        }
        request.onSource?.({ url: source.url, offset });
        yield* source.open(blob, { ...request, offset });
      },
    }),
  };
}

async function read(peers: PeerReading, guide: SourceGuide): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const { signal } = new AbortController();
  for await (const chunk of peers.guided(guide, registry).open(layer, { signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('what a pull makes of its peers', () => {
  it('gives them up for all of its layers when two in a row gave nothing, and warns once', async () => {
    const warnings: LayerpullError[] = [];
    const raw = reading();
    const peers = boundedPeers(raw, (warning) => warnings.push(warning));
    const first = guideTo(peerAt('b'), peerAt('c'), peerAt('d'));
    expect(await read(peers, first.guide)).toEqual(layer.bytes);
    expect(await read(peers, guideTo(peerAt('e'), peerAt('f')).guide)).toEqual(layer.bytes);
    expect(raw.asked).toEqual(['b', 'c']);
    expect(warnings.map(({ code }) => code)).toEqual(['peers_unusable']);
  });

  it('goes on with them as long as one gives a byte in between', async () => {
    const warnings: LayerpullError[] = [];
    const raw = reading(['c', 'e']);
    const peers = boundedPeers(raw, (warning) => warnings.push(warning));
    const { guide } = guideTo(peerAt('b'), peerAt('c'), peerAt('e'));
    expect(await read(peers, guide)).toEqual(layer.bytes);
    expect(raw.asked).toEqual(['b', 'c', 'e']);
    expect(warnings).toEqual([]);
  });

  it('does not count one that is left again and again as several', async () => {
    const raw = reading();
    const peers = boundedPeers(raw, () => {
      throw new Error('no reason to warn');
    });
    await read(peers, guideTo(peerAt('b'), peerAt('b'), peerAt('b')).guide);
    expect(raw.asked).toEqual(['b', 'b', 'b']);
  });

  it('hands on moves, and only to the registry once peers are given up', async () => {
    const peers = boundedPeers(reading(), () => {});
    const seen: Source['kind'][] = [];
    const spied: PeerReading = {
      guided: (guide, source) => {
        guide.onMove(({ kind }) => seen.push(kind));
        return source;
      },
    };
    const watched = boundedPeers(spied, () => {});
    const other = guideTo({ kind: 'registry' });
    watched.guided(other.guide, registry);
    other.move(peerAt('b'));
    expect(seen).toEqual(['peer']);
    await read(peers, guideTo(peerAt('b'), peerAt('c')).guide);
    const late = guideTo(peerAt('d'));
    expect(await read(peers, late.guide)).toEqual(layer.bytes);
    expect(late.reports).toEqual([]);
  });
});
