import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { createFakeRegistry, type FakeRegistry } from '../support/fake-registry.ts';
import { pushImage } from '../support/images.ts';
import { resultOf, startPull, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';
import { startTlsHost } from '../support/tls-host.ts';

const imageOptions = { layers: [200_000, 300] };

async function fakeRegistry(): Promise<FakeRegistry> {
  const fake = await createFakeRegistry();
  onCleanup(() => fake.close());
  return fake;
}

/** An address at which nobody listens. */
async function deadHost(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '127.0.0.1:1';
}

async function pull(reference: string, store: string, ...more: string[]) {
  const child = await startPull({ reference, store, more });
  return { ...(await child.result()), events: child.jsonEvents() };
}

const errorSchema = v.object({
  error: v.object({ code: v.string(), message: v.string(), exitCode: v.number() }),
});
const errorOf = ({ stdout }: CliResult) => v.parse(errorSchema, JSON.parse(stdout)).error;

describe('a pull with mirrors', () => {
  it('takes an image from a docker-registry that mirrors it, behind one that is dead', async () => {
    const [mirror, own] = [await startRegistry(), await startRegistry()];
    const options = { busybox: true, layers: [1_000_000] };
    await pushImage(mirror, 'library/app:1', options);
    await pushImage(own, 'library/app:1', options);
    await Promise.all([mirror.clearLog(), own.clearLog()]);
    const store = tempDir();
    const run = await pull(
      `${own.host}/library/app:1`,
      store,
      '--mirror',
      `${await deadHost()},${mirror.url}`,
    );
    const result = resultOf(run);
    expect(result.reference).toBe(`${own.host}/library/app:1`);
    expect(new Set(result.layers.map(({ source }) => source.url))).toEqual(new Set([mirror.url]));
    expect(await own.accessLog()).toEqual([]);
    expect(await verifyStore(store)).toHaveLength(4);
  });

  it('goes on in the middle of a layer, and says so in its events and its result', async () => {
    const [mirror, own] = [await fakeRegistry(), await fakeRegistry()];
    const image = own.addImage(imageOptions);
    mirror.addImage(imageOptions);
    const [layer] = image.layers;
    if (!layer) throw new Error('the image has no layer');
    mirror.fault(layer.digest, { kind: 'flaky', afterBytes: 150_000 });
    const run = await pull(image.reference, tempDir(), '--mirror', mirror.url);
    const result = resultOf(run).layers.find(({ digest }) => digest === layer.digest);
    const document = JSON.parse(run.stdout).layers.find(
      ({ digest }: { digest: string }) => digest === layer.digest,
    );
    expect(result).toMatchObject({ bytes: 200_000, source: { kind: 'registry', url: own.url } });
    const [switched] = run.events.filter(({ kind }) => kind === 'switched');
    const reached = switched?.['offset'];
    expect(switched).toMatchObject({
      digest: layer.digest,
      size: 200_000,
      source: { kind: 'registry', url: own.url },
      message: expect.stringContaining(`${mirror.host} connection closed`),
    });
    expect(document.sources).toEqual([
      { kind: 'registry', url: mirror.url, bytes: reached },
      { kind: 'registry', url: own.url, bytes: 200_000 - Number(reached) },
    ]);
    const ranges = own.requests.flatMap(({ range }) => range ?? []);
    expect(ranges).toEqual([`bytes=${reached}-199999`]);
  });

  it('starts at zero from another server after wrong bytes', async () => {
    const [mirror, own] = [await fakeRegistry(), await fakeRegistry()];
    const image = own.addImage(imageOptions);
    mirror.addImage(imageOptions);
    const [layer] = image.layers;
    if (!layer) throw new Error('the image has no layer');
    mirror.fault(layer.digest, { kind: 'wrongDigest' }, 9);
    const store = tempDir();
    const run = await pull(image.reference, store, '--mirror', mirror.url);
    const found = resultOf(run).layers.find(({ digest }) => digest === layer.digest);
    expect(found).toMatchObject({ bytes: 400_000, source: { url: own.url } });
    expect([mirror.blobGets(layer.digest), own.blobGets(layer.digest)]).toEqual([1, 1]);
    expect(await verifyStore(store)).toHaveLength(4);
  });

  it('ends with one error that lists every server, and the exit code of what tells most', async () => {
    const [mirror, own] = [await fakeRegistry(), await fakeRegistry()];
    const dead = await deadHost();
    const run = await pull(
      `${own.host}/library/none:1`,
      tempDir(),
      '--mirror',
      `http://${dead}`,
      '--mirror-cool-down',
      '1s',
    );
    expect([run.code, errorOf(run)]).toEqual([
      3,
      expect.objectContaining({
        code: 'image_not_found',
        message: expect.stringMatching(
          new RegExp(
            `^no server gave ${own.host}/library/none:1: ${dead} connection refused; ${own.host} does not have it$`,
          ),
        ),
      }),
    ]);
    expect(mirror.requests).toEqual([]);
  });

  it('leaves a mirror that is slower than it may be', async () => {
    const [mirror, own] = [await fakeRegistry(), await fakeRegistry()];
    const image = own.addImage({ layers: [200_000] });
    mirror.addImage({ layers: [200_000] });
    const [layer] = image.layers;
    if (!layer) throw new Error('the image has no layer');
    mirror.hold(layer.digest, 1_000);
    const bounds = ['--mirror-min-rate', '1MiB', '--mirror-min-rate-window', '4s'];
    const run = await pull(image.reference, tempDir(), '--mirror', mirror.url, ...bounds);
    expect(resultOf(run).layers.find(({ digest }) => digest === layer.digest)?.source.url).toBe(own.url);
    expect(run.events.find(({ kind }) => kind === 'switched')).toMatchObject({
      offset: 1_000,
      message: expect.stringContaining('is slower than'),
    });
  });
});

describe('mirrors of files', () => {
  it('may stand in the configuration file for one registry', async () => {
    const [mirror, own] = [await fakeRegistry(), await fakeRegistry()];
    const image = own.addImage(imageOptions);
    mirror.addImage(imageOptions);
    const config = path.join(tempDir(), 'config.toml');
    writeFileSync(config, `node = "of-the-file"\n[registry."${own.host}"]\nmirror = ["${mirror.url}"]\n`);
    const result = resultOf(await pull(image.reference, tempDir(), '--config', config));
    expect(result.node).toBe('of-the-file');
    expect([mirror.requests.length > 0, own.requests]).toEqual([true, []]);
  });

  it('may stand in registries.conf, with another name for the registry', async () => {
    const [mirror, own] = [await fakeRegistry(), await fakeRegistry()];
    const image = own.addImage({ ...imageOptions, repository: 'inner/app' });
    mirror.addManifest('copy/app', image.manifest, 'latest');
    for (const { bytes, mediaType } of [image.config, ...image.layers]) mirror.addBlob(bytes, mediaType);
    mirror.fault(image.config.digest, { kind: 'notFound' });
    const file = path.join(tempDir(), 'registries.conf');
    writeFileSync(
      file,
      `[[registry]]
       prefix = "registry.example/team"
       location = "${own.host}/inner"
       [[registry.mirror]]
       location = "${mirror.host}/copy"`,
    );
    const env = { CONTAINERS_REGISTRIES_CONF: file };
    const args = ['pull', 'registry.example/team/app', '--store', tempDir(), '--json'];
    const result = resultOf(await runCli(args, { env }));
    expect(result.reference).toBe('registry.example/team/app:latest');
    const urls = result.layers.map(({ source }) => source.url);
    expect(urls).toEqual([own.url, mirror.url, mirror.url]);
  });

  it('may call a mirror insecure: any certificate is good enough, and so is http', async () => {
    const [upload, own] = [await startRegistry(), await startRegistry()];
    for (const target of [upload, own]) await pushImage(target, 'team/app', imageOptions);
    await upload.stop();
    const served = createAuthority().issue({ names: ['127.0.0.1'] });
    const mirror = await startRegistry({ tls: served, filesOf: upload });
    const reference = `${own.host}/team/app`;
    const file = path.join(tempDir(), 'registries.conf');
    writeFileSync(
      file,
      `[[registry]]
       location = "${own.host}"
       insecure = true
       [[registry.mirror]]
       location = "${mirror.host}"
       insecure = true`,
    );
    const hostsOf = async () => {
      const result = resultOf(await pull(reference, tempDir(), '--registries-conf', file));
      return new Set(result.layers.map(({ source }) => new URL(source.url ?? '').host));
    };
    expect(await hostsOf()).toEqual(new Set([mirror.host]));
    await mirror.stop();
    expect(await hostsOf()).toEqual(new Set([own.host]));
  });

  it('does not trust a mirror that nobody called insecure', async () => {
    const own = await fakeRegistry();
    const image = own.addImage(imageOptions);
    const mirror = await startTlsHost(createAuthority().issue({ names: ['127.0.0.1'] }));
    const run = await pull(image.reference, tempDir(), '--mirror', mirror.url.origin);
    expect(resultOf(run).layers.map(({ source }) => source.url)).toContain(own.url);
    expect(mirror.requests).toEqual([]);
  });

  it('with a key that nobody knows end every command with exit code 2', async () => {
    const config = path.join(tempDir(), 'config.toml');
    writeFileSync(config, 'sotre = "/tmp"\n');
    for (const command of [['pull', 'busybox'], ['status'], ['serve']]) {
      const run = await runCli([...command, '--json'], { env: { LAYERPULL_CONFIG: config } });
      expect([run.code, errorOf(run)]).toEqual([
        2,
        { code: 'usage', message: `${config} has the unknown key "sotre"`, exitCode: 2 },
      ]);
    }
  });
});
