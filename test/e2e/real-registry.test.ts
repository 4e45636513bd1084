import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { component, describeWith } from '../support/components.ts';
import { get } from '../support/get.ts';
import { pushImage } from '../support/images.ts';
import { spawnProcess } from '../support/processes.ts';
import { credentials, startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

interface Manifest {
  readonly mediaType: string;
  readonly layers: readonly { readonly digest: string }[];
}

const plainHttp = '--tls-verify=false';

describeWith(['docker-registry', 'skopeo', 'busybox'], 'a real registry', () => {
  test('gives back the images we push, to other tools too', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [50_000] });
    expect(image.reference).toBe(`${registry.host}/library/busybox:latest`);

    const inspected = JSON.parse(await skopeo('inspect', plainHttp, `docker://${image.reference}`));
    expect(inspected).toMatchObject({ Digest: image.digest, Architecture: 'amd64', Os: 'linux' });
    expect(inspected.Layers).toEqual(image.layers.map((layer) => layer.digest));

    // Copying checks every blob's digest, and every diff id of the config against the unpacked layer.
    await skopeo('copy', '--src-tls-verify=false', `docker://${image.reference}`, `dir:${tempDir()}`);
  });

  test('logs one read per blob that is copied', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'noise', { layers: [3_000_000, 10] });
    await registry.clearLog();
    expect(await registry.accessLog()).toEqual([]);
    await skopeo('copy', '--src-tls-verify=false', `docker://${image.reference}`, `oci:${tempDir()}:noise`);
    expect(await registry.blobGets()).toBe(3);
    for (const { digest } of [image.config, ...image.layers]) expect(await registry.blobGets(digest)).toBe(1);
    const reads = (await registry.accessLog()).filter((entry) =>
      entry.path.endsWith(image.layers[0]?.digest ?? '-'),
    );
    expect(reads.find((entry) => entry.method === 'GET')).toMatchObject({ bytes: image.layers[0]?.size });
  });

  test('serves an index of several platforms, in the media types of OCI and of Docker', async () => {
    const registry = await startRegistry();
    for (const docker of [false, true]) {
      const platforms = ['linux/amd64', 'linux/arm/v7'];
      const image = await pushImage(registry, `multi:${docker}`, { layers: [100], platforms, docker });
      expect(image.platforms.map((each) => each.platform)).toEqual(platforms);
      const raw = await skopeo('inspect', plainHttp, '--raw', `docker://${image.reference}`);
      expect(JSON.parse(raw).manifests).toHaveLength(2);
      const arm = ['--override-arch', 'arm', '--override-variant', 'v7'];
      const inspected = JSON.parse(await skopeo(...arm, 'inspect', plainHttp, `docker://${image.reference}`));
      expect(inspected).toMatchObject({ Architecture: 'arm', Digest: image.digest });
    }
  });

  test('asks for credentials when told to', async () => {
    const registry = await startRegistry({ auth: true });
    const image = await pushImage(registry, 'secret', { layers: [100] });
    expect((await get(`${registry.url}/v2/`)).status).toBe(401);
    const who = `--creds=${credentials.username}:${credentials.password}`;
    const raw = await skopeo('inspect', plainHttp, who, '--raw', `docker://${image.reference}`);
    expect((JSON.parse(raw) as Manifest).layers).toEqual([expect.objectContaining(image.layers[0])]);
  });

  test('lets a test spoil a blob', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'spoiled', { layers: [100] });
    writeFileSync(registry.blobFile(image.config.digest), '{}');
    const copy = skopeo('copy', '--src-tls-verify=false', `docker://${image.reference}`, `dir:${tempDir()}`);
    await expect(copy).rejects.toThrow();
  });

  test('two at once have their own ports and contents', async () => {
    const [one, other] = await Promise.all([startRegistry(), startRegistry()]);
    await pushImage(one, 'here', { layers: [{ bytes: 10, seed: 'same' }] });
    expect(one.host).not.toBe(other.host);
    expect((await get(`${one.url}/v2/here/tags/list`)).status).toBe(200);
    expect((await get(`${other.url}/v2/here/tags/list`)).status).toBe(404);
  });
});

describeWith(['busybox'], 'busybox', () => {
  test('runs', async () => {
    const busybox = component('busybox');
    const child = await spawnProcess(busybox?.path ?? '', ['echo', 'hi'], { env: busybox?.env ?? {} });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.stdout.text()).toBe('hi\n');
  });
});
