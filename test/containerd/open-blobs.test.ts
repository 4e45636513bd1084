import { describe, expect, it } from 'vitest';
import { OpenBlobs } from '../../src/containerd/open-blobs.ts';
import { deferred } from '../../src/core/abort.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { OpenBlob } from '../../src/store/shelf.ts';
import { settle } from '../support/fake-clock.ts';

const digests = ['a', 'b', 'c'].map((text) => digestOf(Buffer.from(text)));
const [a, b, c] = digests as [Digest, Digest, Digest];

function setUp() {
  const events: string[] = [];
  const nameOf = (digest: Digest) => 'abc'[digests.indexOf(digest)];
  const failing = new Set<Digest>();
  const open = async (digest: Digest): Promise<OpenBlob> => {
    if (failing.has(digest)) throw new Error('no such blob');
    events.push(`open ${nameOf(digest)}`);
    return {
      size: 3,
      read: async () => Buffer.from('abc'),
      close: async () => void events.push(`close ${nameOf(digest)}`),
    };
  };
  return { events, failing, blobs: new OpenBlobs({ open }, 2) };
}

const look = (blobs: OpenBlobs, digest: Digest) => blobs.use(digest, (blob) => blob.read(0, 3));

describe('open blobs', () => {
  it('are opened once, and closed when others were read since', async () => {
    const { events, blobs } = setUp();
    for (const digest of [a, b, a, a, c, a]) await look(blobs, digest);
    await settle();
    expect(events).toEqual(['open a', 'open b', 'open c', 'close b']);
    blobs.close();
    await settle();
    expect(events.slice(4).sort()).toEqual(['close a', 'close c']);
  });

  it('stay open while somebody reads them', async () => {
    const { events, blobs } = setUp();
    const reading = deferred<void>();
    const slow = blobs.use(a, () => reading.promise);
    blobs.forget(a);
    await settle();
    expect(events).toEqual(['open a']);
    reading.resolve();
    await slow;
    await settle();
    expect(events).toEqual(['open a', 'close a']);
  });

  it('are opened again after a failure', async () => {
    const { events, failing, blobs } = setUp();
    failing.add(a);
    await expect(look(blobs, a)).rejects.toThrow('no such blob');
    failing.clear();
    expect(await look(blobs, a)).toEqual(Buffer.from('abc'));
    expect(events).toEqual(['open a']);
  });
});
