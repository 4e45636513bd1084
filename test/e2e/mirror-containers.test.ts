import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { clientConfig } from '../../src/ui/client-config.ts';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { startMirror } from '../support/mirror.ts';
import { openPodman } from '../support/podman.ts';
import { credentials, startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

/** What podman reads in place of the machine's own file. */
function writeRegistriesConf(url: string, registry: string): string {
  const file = path.join(tempDir(), 'registries.conf');
  writeFileSync(file, clientConfig({ client: 'podman', url, registries: [registry] }));
  return file;
}

const underMirror = (host: string, reference: string) => `docker://${host}/${reference.replace(':', '_')}`;

describeWith(
  ['docker-registry', 'skopeo', 'podman', 'busybox'],
  'clients of containers behind a mirror',
  () => {
    test('skopeo copies an image that its registry no longer serves, with the registry as part of the name', async () => {
      const registry = await startRegistry();
      const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000] });
      const mirror = await startMirror();
      const copy = () =>
        skopeo(
          'copy',
          '--src-tls-verify=false',
          underMirror(mirror.host, image.reference),
          `dir:${tempDir()}`,
        );
      await copy();
      expect(await registry.blobGets()).toBe(3);
      await registry.stop();
      await copy();
    });

    test('podman pulls through the mirror of registries.conf', async () => {
      const registry = await startRegistry();
      const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000] });
      const mirror = await startMirror();
      const registriesConf = writeRegistriesConf(mirror.url, registry.host);
      await openPodman(registriesConf)('pull', '--tls-verify=false', image.reference);
      const reads = (await registry.accessLog()).filter(
        ({ method, path }) => method === 'GET' && path.includes('/blobs/'),
      );
      expect(reads).toHaveLength(3);
      for (const { userAgent } of reads) expect(userAgent).toContain('layerpull');
      await registry.stop();
      await openPodman(registriesConf)('pull', '--tls-verify=false', image.reference);
    });

    test('a private image is given to who may read it, and to nobody else', async () => {
      const registry = await startRegistry({ auth: true });
      const image = await pushImage(registry, 'secret/app', { layers: [50_000] });
      const mirror = await startMirror();
      const copy = (...args: string[]) =>
        skopeo(
          'copy',
          '--src-tls-verify=false',
          ...args,
          underMirror(mirror.host, image.reference),
          `dir:${tempDir()}`,
        );
      await expect(copy()).rejects.toThrow(/unauthorized|authentication required/);
      const { username, password } = credentials;
      await copy('--src-creds', `${username}:${password}`);
      await expect(copy()).rejects.toThrow(/unauthorized|authentication required/);
      await expect(copy('--src-creds', `${username}:wrong`)).rejects.toThrow(/denied|unauthorized/);
      await registry.stop();
      await copy('--src-creds', `${username}:${password}`);
      await expect(copy()).rejects.toThrow(/unavailable|502/i);
      await expect(copy('--src-creds', `${username}:wrong`)).rejects.toThrow(/unavailable|502/i);
    });
  },
);
