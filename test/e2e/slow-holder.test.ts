import path from 'node:path';
import { expect, it } from 'vitest';
import { spawnCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { patientPull, patientServer } from '../support/patient.ts';
import { resultOf, startPull, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';

describeWith(['docker-registry'], 'a pull that waits for a node whose download stands still', () => {
  it('leaves it after the window, says so, and takes the layer from the registry', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/app:latest', { layers: [300_000] });
    const gate = await startGateProxy(registry);
    const store = path.join(tempDir(), 'store');
    const serve = ['serve', '--ephemeral', '--addr', '127.0.0.1:0', '--session-ttl', '9s', ...patientServer];
    const [server] = await (await spawnCli(serve)).stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);

    gate.shut(1_000);
    const slow = await startPull({
      reference: `${gate.host}/library/app:latest`,
      ...{ store, server, node: 'node-slow', more: patientPull },
    });
    await gate.waiting(1);
    const more = ['--min-rate-window', '1s', '--first-contact', '10m', '--out-of-reach', '10m'];
    const quick = await startPull({
      reference: `${registry.host}/library/app:latest`,
      ...{ store, server, node: 'node-quick', more },
    });
    const result = resultOf(await quick.result());

    const warnings = quick.jsonEvents().filter(({ kind }) => kind === 'warning');
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings[0]).toMatchObject({ code: 'holder_slow', hint: expect.stringContaining('--min-rate') });
    expect(warnings[0]?.['message']).toMatch(
      /^node-slow brings sha256:[0-9a-f]+ at \d+ KiB\/s, less than 256/,
    );
    const [layer] = image.layers;
    expect(result.layers.find(({ digest }) => digest === layer?.digest)).toMatchObject({
      outcome: 'downloaded',
    });
    gate.open();
    resultOf(await slow.result());
    expect(await verifyStore(store)).toContain(layer?.digest);
  });
});
