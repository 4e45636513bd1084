import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startContentService } from '../../src/containerd/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { digestHex } from '../../src/core/digest.ts';
import { toSessionId, toToken } from '../../src/core/ids.ts';
import { put, randomContent } from '../conformance/content-store/support.ts';
import { blobOf, type TestBlob } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createContentClient } from '../support/content-client.ts';
import { setUpService } from './support.ts';

type Setup = Awaited<ReturnType<typeof setUpService>>;

/** As another node or a pull does. */
async function bringIntoStore({ store }: Setup, blob: TestBlob): Promise<void> {
  const ingest = await store.blobs.ingest(blob, { session: toSessionId('a') });
  await ingest.write(blob.bytes);
  await ingest.commit();
}

const referencesOf = async ({ store }: Setup, { digest }: Pick<TestBlob, 'digest'>) =>
  (await store.references.read()).of(digest);
const remove = ({ store }: Setup, { digest }: Pick<TestBlob, 'digest'>) =>
  store.blobs.delete(digest, { token: toToken(7) });

describe('a blob that the store has', () => {
  it('is found by its digest, though it is not listed before', async () => {
    const setup = await setUpService();
    const blob = blobOf('brought by somebody else');
    await bringIntoStore(setup, blob);
    expect(await setup.client.list()).toEqual([]);
    const [one, two] = await Promise.all([setup.client.info(blob.digest), setup.client.info(blob.digest)]);
    expect(one).toEqual(two);
    expect(one.size).toBe(blob.size);
    expect((await setup.client.list()).map(({ digest }) => digest)).toEqual([blob.digest]);
    expect(setup.flights.opened).toEqual([]);
  });

  it('is read, given labels and refused as an ingest without being asked for before', async () => {
    const setup = await setUpService();
    const [a, b, c] = [blobOf('a'), blobOf('b'), blobOf('c')];
    for (const blob of [a, b, c]) await bringIntoStore(setup, blob);
    expect(await setup.client.readAll(a.digest)).toEqual(a.bytes);
    expect((await setup.client.update(b.digest, { k: 'v' })).labels).toEqual({ k: 'v' });
    const writer = setup.client.writer('c', { expected: c.digest });
    await expect(writer).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('stays when containerd deletes it, and can be found again', async () => {
    const setup = await setUpService();
    const blob = blobOf('deleted by containerd');
    await bringIntoStore(setup, blob);
    await setup.client.update(blob.digest, { k: 'v' });
    await setup.client.delete(blob.digest);
    expect(await setup.client.list()).toEqual([]);
    expect(await setup.store.blobs.has(blob)).toBe(true);
    expect(await setup.client.info(blob.digest)).toMatchObject({ labels: {} });
  });

  it('is committed anew without a second copy', async () => {
    const setup = await setUpService();
    const content = randomContent(100);
    await put(setup.client, 'c1', content);
    await setup.client.delete(content.digest);
    const writer = await setup.client.writer('c2');
    await writer.write(content.bytes);
    expect(await writer.commit()).toMatchObject({ digest: content.digest });
    expect(readdirSync(path.join(setup.shelf().folder, 'ingest'))).toEqual([]);
  });
});

describe('what containerd needs', () => {
  it('is kept from those who remove what nobody references', async () => {
    const setup = await setUpService();
    const blob = blobOf('needed');
    await bringIntoStore(setup, blob);
    await setup.client.info(blob.digest);
    expect(await referencesOf(setup, blob)).toEqual([{ kind: 'containerd', name: 'node-a' }]);
    expect(await remove(setup, blob)).toEqual({ kind: 'referenced' });
    await setup.client.delete(blob.digest);
    expect(await referencesOf(setup, blob)).toEqual([]);
    expect(await remove(setup, blob)).toMatchObject({ kind: 'deleted' });
    await expect(setup.client.info(blob.digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is kept also while nothing serves it', async () => {
    const setup = await setUpService();
    const content = randomContent(100);
    await put(setup.client, 'c1', content);
    await setup.close();
    expect(await remove(setup, content)).toEqual({ kind: 'referenced' });
  });

  it('is told with each change', async () => {
    const setup = await setUpService();
    const content = randomContent(100);
    await put(setup.client, 'c1', content);
    await setup.client.delete(content.digest);
    await setup.client.info(content.digest);
    const changes = setup.lines.filter(({ message }) => message === 'reference updated');
    expect(changes).toEqual(
      ['committed', 'removed', 'taken'].map((change) => ({
        message: 'reference updated',
        digest: content.digest,
        change,
        catalog: 'node-a',
      })),
    );
  });

  it('is another list for each containerd on one store', async () => {
    const setup = await setUpService();
    const content = randomContent(100);
    await put(setup.client, 'c1', content);
    const socket = path.join(setup.folder, 'other.sock');
    const shelf = await setup.store.shelf('node-b');
    onCleanup(() => shelf.close());
    const service = await startContentService({ socket, shelf, flights: setup.flights, clock: systemClock });
    onCleanup(() => service.close());
    const other = createContentClient(socket);
    expect(await other.list()).toEqual([]);
    expect(await other.readAll(content.digest)).toEqual(content.bytes);
    await setup.client.delete(content.digest);
    expect(await referencesOf(setup, content)).toEqual([{ kind: 'containerd', name: 'node-b' }]);
  });
});

describe('a restart', () => {
  it('keeps blobs, labels and times', async () => {
    const setup = await setUpService();
    const content = randomContent(100);
    await put(setup.client, 'c1', content, { k: 'v' });
    const before = await setup.client.info(content.digest);
    await setup.restart();
    expect(await setup.client.info(content.digest)).toEqual(before);
    expect(await setup.client.list()).toEqual([before]);
  });

  it('keeps ingests, with what is known of them', async () => {
    const setup = await setUpService();
    const content = randomContent(5_000);
    const writer = await setup.client.writer('../c1', { total: 5_000 });
    await writer.write(content.bytes.subarray(0, 3_000));
    const before = await setup.client.status('../c1');
    await setup.restart();
    expect(await writer.ended).toBe('UNAVAILABLE');
    expect(await setup.client.status('../c1')).toMatchObject({ offset: 3_000, total: 5_000 });
    const next = await setup.client.writer('../c1', { total: 5_000 });
    expect((await next.stat()).startedAt).toEqual(before.startedAt);
    await next.write(content.bytes.subarray(3_000));
    await next.commit({ expected: content.digest });
    expect(await setup.client.readAll(content.digest)).toEqual(content.bytes);
  });

  it('lets a large ingest be asked for again while it is read, and nothing else', async () => {
    const setup = await setUpService();
    const content = randomContent(18 * 1_048_576);
    const writer = await setup.client.writer('large');
    await writer.write(content.bytes);
    await setup.restart();
    const opening = setup.client.writer('large');
    await expect(opening).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect
      .poll(() => setup.client.writer('large').then((next) => next.commit()))
      .toMatchObject({
        digest: content.digest,
      });
  });

  it('forgets what is gone, and what cannot be read', async () => {
    const setup = await setUpService();
    const [gone, damaged, kept] = [randomContent(10), randomContent(11), randomContent(12)];
    for (const content of [gone, damaged, kept]) await put(setup.client, content.digest, content);
    await (await setup.client.writer('half')).close();
    await setup.close();
    const { folder } = setup.shelf();
    rmSync(path.join(setup.store.blobs.path, 'blobs', 'sha256', digestHex(gone.digest)));
    writeFileSync(path.join(folder, 'catalog', `sha256-${digestHex(damaged.digest)}.json`), '{');
    mkdirSync(path.join(folder, 'catalog', 'folder.json'));
    for (const name of readdirSync(path.join(folder, 'ingest'))) {
      writeFileSync(path.join(folder, 'ingest', name), 'damaged');
    }
    await setup.restart();
    expect((await setup.client.list()).map(({ digest }) => digest)).toEqual([kept.digest]);
    expect(await setup.client.listStatuses()).toEqual([]);
    expect(readdirSync(path.join(folder, 'ingest'))).toEqual([]);
    expect(await referencesOf(setup, gone)).toEqual([]);
    // Its name still says that it is needed.
    expect(await referencesOf(setup, damaged)).toHaveLength(1);
    expect(await setup.client.info(damaged.digest)).toMatchObject({ size: 11 });
  });
});
