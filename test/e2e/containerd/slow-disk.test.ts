import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openStage } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { startGateProxy } from '../../support/gate-proxy.ts';
import { pushImage } from '../../support/images.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { inRoot } from '../../support/root.ts';
import { soon } from '../../support/soon.ts';
import { tempDir } from '../../support/temp.ts';
import { begun } from './facts.ts';

const fault = inRoot('test', 'support', 'held-sync.mjs');

describeContainers('containerd while the disk of its content is slow', () => {
  test('answers others although a layer waits for the disk, and ends the pull when the disk is done', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [1_000_000] });
    const gate = await startGateProxy(registry);
    const reference = image.reference.replace(registry.host, gate.host);
    const holdFile = path.join(tempDir(), 'hold');
    const stage = await openStage('slow disk');
    const env = { NODE_OPTIONS: `--import=${fault}`, HOLD_SYNC: holdFile };
    const { containerd, plugin } = await stage.addNode('node-a', { env });
    const layer = image.layers.at(-1)?.digest ?? '';

    gate.shut(100_000);
    let isOver = false;
    const pull = begun(containerd.pull(reference).finally(() => (isOver = true)));
    await gate.waiting(image.layers.length);
    writeFileSync(holdFile, '');
    gate.open();
    const whole = new RegExp(`layer-${layer}\\s+1\\.002MB\\s`);
    await soon(async () => expect(await containerd.ctr('content', 'active')).toMatch(whole));

    for (const name of ['one', 'two', 'three']) await containerd.ctr('namespaces', 'create', name);
    expect(await containerd.ctr('namespaces', 'ls', '-q')).toMatch(/one\s+three\s+two/);
    // All of that was while the layer waited.
    expect(plugin().log.find('published', { digest: layer })).toEqual([]);
    expect(isOver).toBe(false);

    rmSync(holdFile);
    await pull;
    await plugin().log.waitFor('published', { digest: layer });
  });
});
