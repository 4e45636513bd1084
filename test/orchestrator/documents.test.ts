import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId, toSessionId } from '../../src/core/ids.ts';
import type { Source } from '../../src/lock/locks.ts';
import { shareDocuments } from '../../src/orchestrator/documents.ts';
import type { PeerReading } from '../../src/orchestrator/peers.ts';
import { manifestRequests, resolveWith } from '../registry/documents-at-hand.ts';
import { amd64, createRig, errorOf, type Rig } from '../registry/support.ts';
import { createFakeBlobStore, type FakeBlobStore } from '../support/fake-blob-store.ts';
import type { FakeRegistryOptions } from '../support/fake-registry.ts';
import { createFakeSessionLocks, type FakeSessionLocks, fakeHold } from '../support/fake-session-locks.ts';

const arm64 = { os: 'linux', architecture: 'arm64' };
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Node {
  readonly store: FakeBlobStore;
  readonly locks: FakeSessionLocks;
  readonly opened: () => number;
  pull(rig: Rig, reference: string): ReturnType<typeof resolveWith>;
}

/** A fleet in which every node is told to read from the first that has a document. */
function fleetOf(count: number, clock: Clock = systemClock): Node[] {
  const nodes: Node[] = [];
  const stores = new Map<string, FakeBlobStore>();
  const peers: PeerReading = {
    guided: (guide, registry) => ({
      url: registry.url,
      async *open(blob, request) {
        const { source } = guide;
        if (source.kind !== 'peer') return yield* registry.open(blob, request);
        request.onSource?.({ url: source.url, offset: request.offset ?? 0 });
        const bytes = stores.get(source.url)?.blobs.get(blob.digest);
        if (!bytes) throw new Error(`${source.url} was said to have ${blob.digest}`);
        yield bytes;
      },
    }),
  };
  for (let at = 0; at < count; at += 1) {
    const name = `node-${at}`;
    const store = createFakeBlobStore();
    stores.set(`http://${name}`, store);
    const locks = createFakeSessionLocks();
    const sourceOf = (digest: string): Source => {
      const owner = [...stores].find(([, other]) => [...other.blobs.keys()].some((one) => one === digest));
      if (!owner) return { kind: 'registry' };
      const id = owner[0].slice('http://'.length);
      return {
        kind: 'peer',
        url: owner[0],
        nodeId: toNodeId(id),
        sessionId: toSessionId(id),
        complete: true,
      };
    };
    const acquire: FakeSessionLocks['acquire'] = async (request, signal) => {
      const source = sourceOf(request.resourceId);
      const hold = fakeHold(locks, request);
      locks.reply({ kind: 'granted', hold: { ...hold, source, guide: { ...hold.guide, source } } });
      return await base(request, signal);
    };
    const base = locks.acquire;
    let opened = 0;
    const sharing = shareDocuments(async () => {
      opened += 1;
      const read = async (digest: Parameters<FakeBlobStore['open']>[0]) => store.blobs.get(digest);
      return { store, read, locks: { ...locks, acquire }, clock, peers };
    });
    closers.push(() => sharing.close());
    nodes.push({
      ...{ store, locks, opened: () => opened },
      pull: (rig, reference) => resolveWith(rig, reference, { shared: sharing }),
    });
  }
  return nodes;
}

function getsOf(rig: Rig): string[] {
  return manifestRequests(rig.fake).filter((request) => request.startsWith('GET '));
}

const one = (nodes: readonly Node[]): Node => {
  const [node] = nodes;
  if (!node) throw new Error('the fleet is empty');
  return node;
};

describe('manifests that a fleet takes once', () => {
  it('cost the registry one GET for each digest and one HEAD for each node', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage({ platforms: [amd64, arm64] });
    for (const node of fleetOf(4)) {
      const image = await node.pull(rig, made.reference);
      expect(image.index?.descriptor.digest).toBe(made.digest);
      expect(Buffer.from(image.manifest.bytes)).toEqual(made.manifest.bytes);
    }
    expect(getsOf(rig)).toEqual([`GET ${made.digest}`, `GET ${made.manifest.digest}`]);
    expect(manifestRequests(rig.fake).filter((request) => request === 'HEAD latest')).toHaveLength(4);
  });

  it('are read from the registry by the digest that the tag means now', async () => {
    const rig = await createRig();
    const [first, second] = fleetOf(2);
    const old = rig.fake.addImage({ layers: [10] });
    await first?.pull(rig, old.reference);
    const fresh = rig.fake.addImage({ layers: [20] });
    expect((await second?.pull(rig, fresh.reference))?.manifest.descriptor.digest).toBe(fresh.digest);
    expect(getsOf(rig)).toEqual([`GET ${old.digest}`, `GET ${fresh.digest}`]);
  });

  it('go to no node that the registry does not let read them', async () => {
    const auth: FakeRegistryOptions['auth'] = { kind: 'bearer' };
    const rig = await createRig({ auth });
    const made = rig.fake.addImage();
    const [first, second] = fleetOf(2);
    await first?.pull(rig, made.reference);
    rig.fake.fault('latest', { kind: 'denied' }, 9);
    const error = await errorOf(second?.pull(rig, made.reference) ?? Promise.resolve());
    expect(error).toMatchObject({ code: 'access_denied' });
    expect(second?.locks.asked).toEqual([]);
    expect(second?.store.blobs.size).toBe(0);
  });

  it('ask for access by HEAD also where a digest is pulled', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    for (const node of fleetOf(2)) {
      await node.pull(rig, `${rig.fake.host}/library/app@${made.digest}`);
    }
    expect(manifestRequests(rig.fake)).toEqual([
      `HEAD ${made.digest}`,
      `GET ${made.digest}`,
      `HEAD ${made.digest}`,
    ]);
  });

  it('make no store and no session for an image that does not exist', async () => {
    const rig = await createRig();
    const node = one(fleetOf(1));
    const error = await errorOf(node.pull(rig, `${rig.fake.host}/library/app:absent`));
    expect(error).toMatchObject({ code: 'image_not_found' });
    expect(node.opened()).toBe(0);
  });

  it('are read by tag where the registry says neither digest nor length, or a wrong digest', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    rig.fake.fault('latest', { kind: 'lyingDigestHeader' }, 1);
    const node = one(fleetOf(1));
    expect((await node.pull(rig, made.reference)).manifest.descriptor.digest).toBe(made.digest);
    expect(getsOf(rig).at(-1)).toBe('GET latest');
    rig.fake.fault('latest', { kind: 'serverError', status: 405 }, 1);
    expect((await one(fleetOf(1)).pull(rig, made.reference)).manifest.descriptor.digest).toBe(made.digest);
    expect(getsOf(rig).at(-1)).toBe('GET latest');
  });

  it('cost neither lock nor request where the store has them by then', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const node = one(fleetOf(1));
    node.store.blobs.set(made.manifest.digest, made.manifest.bytes);
    await node.pull(rig, made.reference);
    expect(node.locks.asked).toEqual([]);
    expect(getsOf(rig)).toEqual([]);
  });

  it('end the pull when it may not go on without a lock service', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const failure = new LayerpullError('lock_unreachable', 'no lock server is in reach');
    const sharing = shareDocuments(async () => {
      throw failure;
    });
    const error = await errorOf(resolveWith(rig, made.reference, { shared: sharing }));
    expect(error).toBe(failure);
    expect(getsOf(rig)).toEqual([]);
  });

  it('end with the sharing, and hold nothing then', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const gate = rig.fake.hold(made.digest);
    const node = one(fleetOf(1));
    const failing = errorOf(node.pull(rig, made.reference));
    await rig.fake.arrived(made.digest);
    for (const close of closers.splice(0)) await close();
    expect(await failing).toMatchObject({ message: 'the pull is over' });
    expect(node.locks.held.now).toBe(0);
    expect(node.store.openIngests.count).toBe(0);
    gate.release();
  });
});
