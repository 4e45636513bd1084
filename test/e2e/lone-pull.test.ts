import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { patientPull, patientServer } from '../support/patient.ts';
import { resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

const nobody = '127.0.0.1:1';

async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox:latest', { busybox: true, layers: [200_000] });
  await registry.clearLog();
  return { registry, image, reference: image.reference, store: path.join(tempDir(), 'store') };
}

/** Blobs and images that a failed pull must not leave. */
function published(store: string): string[] {
  const index = path.join(store, 'index.json');
  const manifests = existsSync(index) ? JSON.parse(readFileSync(index, 'utf8')).manifests : [];
  return manifests;
}

describeWith(['docker-registry', 'skopeo'], 'a pull on its own', () => {
  it('prints the name with the digest and nothing else on stdout', async () => {
    const { image, reference, store } = await setUp();
    const run = await runCli(['pull', reference, '--store', store]);
    expect(run.stdout).toBe(`${reference}@${image.digest}\n`);
    expect(run.code).toBe(0);
  });

  it('says nothing on stderr of an image with many layers', async () => {
    const registry = await startRegistry();
    const sizes = Array.from({ length: 40 }, (_, place) => 1_000 + place);
    const { reference } = await pushImage(registry, 'library/many:latest', { layers: sizes });
    const run = await runCli([
      'pull',
      reference,
      '--store',
      path.join(tempDir(), 'store'),
      '--progress',
      'none',
    ]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
  });

  it('asks neither the lock server nor the registry for what the store has', async () => {
    const { registry, reference, store } = await setUp();
    resultOf(await (await startPull({ reference, store })).result());
    await registry.clearLog();
    const again = resultOf(await (await startPull({ reference, store, server: nobody })).result());
    expect(again.layers.every((layer) => layer.outcome === 'present' && layer.bytes === 0)).toBe(true);
    expect(await registry.blobGets()).toBe(0);
  });

  it('goes on with one warning when the lock server is not there', async () => {
    const { reference, store } = await setUp();
    const run = await runCli([
      'pull',
      reference,
      '--store',
      store,
      '--server',
      nobody,
      '--progress',
      'plain',
    ]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr.match(/cannot reach the lock server/g)).toHaveLength(1);
    await verifyStore(store);
  });

  it('ends with exit code 7 and publishes nothing when it must not go on alone', async () => {
    const { reference, store } = await setUp();
    const args = ['pull', reference, '--store', store, '--server', nobody, '--on-lock-failure', 'fail'];
    const run = await runCli(args);
    expect(run.code).toBe(7);
    expect(run.stdout).toBe('');
    expect(published(store)).toEqual([]);
    expect(await verifyStore(store)).toEqual([]);
  });

  it('keeps several images side by side, each readable by skopeo', async () => {
    const { registry, reference, store } = await setUp();
    const other = await pushImage(registry, 'team/app:1.2', {
      layers: [50_000],
      platforms: ['linux/amd64', 'linux/arm64'],
    });
    resultOf(await (await startPull({ reference, store })).result());
    resultOf(
      await (
        await startPull({ reference: other.reference, store, more: ['--platform', 'linux/arm64'] })
      ).result(),
    );
    const copy = path.join(tempDir(), 'elsewhere');
    for (const name of [reference, other.reference]) {
      await skopeo('inspect', `oci:${store}:${name}`);
      await skopeo('copy', `oci:${store}:${name}`, `oci:${copy}`);
    }
  });

  it('keeps an image with Docker media types so that skopeo reads it, and names the digest that the registry has', async () => {
    const { registry, store } = await setUp();
    const image = await pushImage(registry, 'library/old:1', { busybox: true, docker: true });
    const result = resultOf(await (await startPull({ reference: image.reference, store })).result());
    expect(result.manifestDigest).toBe(image.manifestDigest);
    await skopeo('inspect', `oci:${store}:${image.reference}`);
    const copy = path.join(tempDir(), 'elsewhere');
    await skopeo('copy', `oci:${store}:${image.reference}`, `oci:${copy}:x`);
    expect(await verifyStore(copy)).toEqual(
      expect.arrayContaining(image.layers.map((layer) => layer.digest)),
    );
    await verifyStore(store);
  });

  it('refuses a blob that the registry serves with other bytes, exit 6, nothing published', async () => {
    const { registry, image, reference, store } = await setUp();
    const file = registry.blobFile(image.layers[0]?.digest ?? '');
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    writeFileSync(file, bytes);
    const run = await runCli(['pull', reference, '--store', store]);
    expect(run.code).toBe(6);
    expect(run.stderr).toContain(image.layers[0]?.digest);
    expect(published(store)).toEqual([]);
    await verifyStore(store);
  });

  it('names the unknown tag, exit 3', async () => {
    const { registry, store } = await setUp();
    const run = await runCli(['pull', `${registry.host}/library/busybox:nosuch`, '--store', store]);
    expect(run.code).toBe(3);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
    expect(run.stderr).toContain('nosuch');
  });

  it('shows holder, progress and queue in status while it runs', async () => {
    const { registry, image, store } = await setUp();
    const { startGateProxy } = await import('../support/gate-proxy.ts');
    const gate = await startGateProxy(registry);
    const reference = `${gate.host}/library/busybox:latest`;
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
    gate.shut(100_000);
    const first = await startPull({ reference, store, server, node: 'node-a', more: patientPull });
    await gate.waiting(2);
    const second = await startPull({ reference, store, server, node: 'node-b', more: patientPull });
    const layer = image.layers[1]?.digest ?? '';
    await second.nextJsonEvent('waiting', (event) => event['digest'] === layer);
    const shown = await runCli(['status', layer.slice(0, 20), '--server', server]);
    expect(shown.code, shown.stderr).toBe(0);
    expect(shown.stdout).toMatch(/node-a/);
    expect(shown.stdout).toMatch(/node-b/);
    const all = await runCli(['status', '--server', server]);
    expect(all.stdout).toContain('node-a');
    gate.open();
    resultOf(await first.result());
    resultOf(await second.result());
  });
});

describe('a pull that cannot start', () => {
  it.each([
    ['Busybox', 2, 'upper case'],
    ['busybox:', 2, 'tag'],
    ['https://docker.io/busybox', 2, 'https://'],
    [`${nobody}/library/busybox`, 5, nobody],
  ])('of %s ends with exit %i and one line', async (reference, code, word) => {
    const store = path.join(tempDir(), 'store');
    const run = await runCli(['pull', reference, '--store', store]);
    expect(run.code).toBe(code);
    expect(run.stdout).toBe('');
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
    expect(run.stderr).toContain(word);
    const asJson = await runCli(['pull', reference, '--store', store, '--json']);
    expect(asJson.code).toBe(code);
    expect(JSON.parse(asJson.stdout).error.exitCode).toBe(code);
  });
});
