import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../src/core/ids.ts';
import type { LayerResult } from '../../src/orchestrator/events.ts';
import { keepingAll } from '../../src/orchestrator/keep.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';

const layer = blobOf('a layer');
const other = blobOf('another layer');

function setUp() {
  const blobs = createFakeBlobStore();
  const claims = { now: 0, written: 0 };
  const references = {
    claim: async () => {
      claims.now += 1;
      claims.written += 1;
      const release = async () => {
        claims.now -= 1;
      };
      return { release };
    },
    read: async () => ({ of: () => [], unreadable: [] }),
    blobsOf: async () => ({ all: [] }),
    isOursAlone: async () => true,
  };
  const trash = new Map<typeof layer.digest, Uint8Array>();
  const garbage = {
    find: async () => [],
    collect: async () => [],
    settle: async () => {
      for (const [digest, bytes] of trash) blobs.blobs.set(digest, bytes);
    },
  };
  const rounds: number[] = [];
  const bring = async (): Promise<LayerResult[]> => {
    rounds.push(claims.now);
    return [layer, other].map((blob) => {
      const isThere = blobs.blobs.has(blob.digest);
      blobs.blobs.set(blob.digest, blob.bytes);
      const { digest, size, mediaType } = blob;
      const source = { kind: isThere ? 'store' : 'registry' } as const;
      const outcome = isThere ? 'present' : 'downloaded';
      return { digest, size, mediaType, outcome, source, bytes: isThere ? 0 : size, durationMs: 1 };
    });
  };
  const request = { name: 'docker.io/library/a:1', node: toNodeId('node-a'), needed: [layer, other] };
  const store = { blobs, references, garbage };
  return { blobs, claims, trash, rounds, bring, request, store };
}

const asIs = async <T>(results: T) => results;

describe('keeping all that an image needs', () => {
  it('claims it before anything is looked for, and until it has been used', async () => {
    const { claims, rounds, bring, request, store } = setUp();
    const claimed = await keepingAll(request, store, bring, async () => claims.now);
    expect([rounds, claimed, claims.now]).toEqual([[1], 1, 0]);
  });

  it('looks again once the image is recorded, and brings what was removed meanwhile', async () => {
    const { blobs, bring, request, store, rounds } = setUp();
    const removing = async () => {
      const results = await bring();
      if (rounds.length === 1) blobs.blobs.delete(layer.digest);
      return results;
    };
    const results = await keepingAll(request, store, removing, asIs);
    expect(blobs.blobs.has(layer.digest)).toBe(true);
    // Told as downloaded, with the bytes of both rounds.
    expect(results.map(({ outcome, bytes }) => [outcome, bytes])).toEqual([
      ['downloaded', 2 * layer.size],
      ['downloaded', other.size],
    ]);
  });

  it('takes back from the trash what a killed deleter left there, rather than fetch it', async () => {
    const { blobs, bring, request, store, trash, rounds } = setUp();
    const removing = async () => {
      const results = await bring();
      trash.set(layer.digest, layer.bytes);
      blobs.blobs.delete(layer.digest);
      return results;
    };
    await keepingAll(request, store, removing, asIs);
    expect(rounds).toHaveLength(1);
  });

  it('gives up when blobs keep vanishing, and says so', async () => {
    const { blobs, bring, request, store, claims } = setUp();
    const removing = async () => {
      const results = await bring();
      blobs.blobs.delete(layer.digest);
      return results;
    };
    const kept = keepingAll(request, store, removing, asIs);
    await expect(kept).rejects.toMatchObject({ code: 'store_failed', hint: expect.any(String) });
    expect(claims).toEqual({ now: 0, written: 1 });
  });

  it('uses what is there where nothing can be written, and fails where something is missing', async () => {
    const { blobs, bring, request, store } = setUp();
    const claim = () => Promise.reject(new Error('read-only'));
    const readOnly = { ...store, references: { ...store.references, claim } };
    await expect(keepingAll(request, readOnly, bring, asIs)).rejects.toThrow('read-only');
    for (const blob of [layer, other]) blobs.blobs.set(blob.digest, blob.bytes);
    expect(await keepingAll(request, readOnly, bring, asIs)).toHaveLength(2);
  });

  it('ends its claim when bringing fails', async () => {
    const { request, store, claims } = setUp();
    const fail = () => Promise.reject(new Error('no network'));
    await expect(keepingAll(request, store, fail, asIs)).rejects.toThrow('no network');
    expect(claims.now).toBe(0);
  });
});
