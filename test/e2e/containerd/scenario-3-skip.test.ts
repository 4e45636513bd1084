import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../support/cli.ts';
import { openStage } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { pushImage } from '../../support/images.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { tempDir } from '../../support/temp.ts';
import { blobsOf, expectRuns, linesAbout } from './facts.ts';

describeContainers('scenario 3: the store of B has a layer beforehand', () => {
  test('B takes it without asking the lock server, and asks for the others', async () => {
    const registry = await startRegistry();
    const shared = { bytes: 1_000_000, seed: 'shared' };
    const earlier = await pushImage(registry, 'library/earlier', { layers: [shared] });
    const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [shared, 200_000] });
    const known = earlier.layers.map(({ digest }) => digest);
    const news = blobsOf(image).filter((digest) => !known.includes(digest));
    const store = path.join(tempDir(), 'store');
    expect(await runCli(['pull', '--store', store, earlier.reference])).toMatchObject({ code: 0 });
    await registry.clearLog();

    const { server, serverLog, story, addNode } = await openStage('3 skip by reference');
    const wire = await startFaultProxy(server.url);
    const b = await addNode('node-b', { store, server: wire.url });
    await b.containerd.pull(image.reference);

    const { log } = b.plugin();
    for (const digest of known) {
      story.shows('skip decision', 'node-b', await log.waitFor('present', { digest }));
      story.shows(
        'reference update',
        'node-b',
        await log.waitFor('reference updated', { digest, catalog: 'node-b' }),
      );
      expect(log.find('lock requested', { digest })).toEqual([]);
      expect(linesAbout(serverLog, digest)).toEqual([]);
      expect(await registry.blobGets(digest)).toBe(0);
    }
    for (const digest of news) {
      story.shows('lock request', 'node-b', await log.waitFor('lock requested', { digest }));
      story.shows('release', 'node-b', await log.waitFor('released', { digest, success: true }));
    }
    const requests = wire.replies.filter(({ what }) => what === 'POST /lock');
    expect(requests).toHaveLength(news.length);
    story.tells(`${requests.length} requests of /lock for ${blobsOf(image).length} blobs`);
    await expectRuns(b, image);
  });
});
