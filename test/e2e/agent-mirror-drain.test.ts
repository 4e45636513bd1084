import path from 'node:path';
import { expect, it } from 'vitest';
import { startAgent } from '../support/agents.ts';
import { ask } from '../support/ask.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { patientPull } from '../support/patient.ts';
import { verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

/** skopeo asks for them one after the other. */
const layers = [300_000, 200_000, 400_000];

/** An agent with a mirror that is told to end while skopeo reads through it. */
async function toldToEnd(...more: string[]) {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'team/app', { layers });
  const gate = await startGateProxy(registry);
  const store = path.join(tempDir(), 'store');
  const flags = ['--registry-addr', '127.0.0.1:0', ...patientPull, ...more];
  const { child } = await startAgent({ store, more: flags });
  const [, mirror = ''] = await child.stdout.waitFor(/\nhttp:\/\/(\S+)\n/);
  const name = `${gate.host.replace(':', '_')}/team/app`;
  gate.shut(1_000);
  const copy = skopeo('copy', '--src-tls-verify=false', `docker://${mirror}/${name}`, `dir:${tempDir()}`);
  copy.catch(() => {});
  await gate.waiting(1);
  child.kill('SIGTERM');
  await child.waitForStderr(/waiting for those who read from here/);
  return { image, gate, store, child, copy, url: `http://${mirror}/v2/${name}` };
}

describeWith(
  ['docker-registry', 'skopeo'],
  'an agent that is told to end while skopeo pulls through it',
  () => {
    it('gives it the rest of the image first, and sends new pulls on to the registry', async () => {
      const { image, gate, store, child, copy, url } = await toldToEnd('--drain-timeout', '10m');
      const refused = await ask(`${url}/manifests/latest`);
      expect([refused.status, JSON.parse(refused.bytes.toString()).errors[0].code]).toEqual([
        503,
        'UNAVAILABLE',
      ]);
      gate.open();
      await copy;
      expect(await child.exited).toEqual({ code: 0, signal: null });
      const brought = [image.config, ...image.layers].map(({ digest }) => digest);
      expect(await verifyStore(store)).toEqual(expect.arrayContaining(brought));
      await expect(ask(`${url}/manifests/latest`)).rejects.toThrow();
    });

    it('waits no longer than --drain-timeout', async () => {
      const { child, copy } = await toldToEnd('--drain-timeout', '500ms');
      await child.waitForStderr(/still read from after 0\.5 s/);
      expect(await child.exited).toEqual({ code: 0, signal: null });
      await expect(copy).rejects.toThrow();
    });
  },
);
