import path from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { type GateProxy, startGateProxy } from '../support/gate-proxy.ts';
import { type PushedImage, pushImage } from '../support/images.ts';
import { patientPull, patientServer, patientSources } from '../support/patient.ts';
import { type JsonResult, resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { everyoneReads } from '../support/readers.ts';
import { type RealRegistry, type RealRegistryOptions, startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

interface Rig {
  readonly registry: RealRegistry;
  readonly image: PushedImage;
  readonly gate: GateProxy;
  readonly reference: string;
  /** Digests and sizes of the config and the layers. */
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  readonly bytes: number;
}

/** A registry with one image, and a gate before it through which all nodes read. */
async function setUp(options: RealRegistryOptions = {}, largest = 3_000_000): Promise<Rig> {
  const registry = await startRegistry(options);
  const layers = [300_000, 400_000, 500_000, largest];
  const image = await pushImage(registry, 'library/app:latest', { layers });
  await registry.clearLog();
  const gate = await startGateProxy(registry);
  const blobs = [image.config, ...image.layers];
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  return { registry, image, gate, reference: `${gate.host}/library/app:latest`, blobs, bytes };
}

interface Egress {
  readonly blobBytes: number;
  readonly manifestGets: number;
  readonly heads: number;
}

/** What the registry sent, as it says itself. */
async function egressOf({ registry }: Rig): Promise<Egress> {
  const entries = (await registry.accessLog()).filter(({ status }) => status === 200 || status === 206);
  const gets = entries.filter(({ method }) => method === 'GET');
  const blobs = gets.filter((entry) => entry.path.includes('/blobs/'));
  const isManifest = (entry: { readonly path: string }) => entry.path.includes('/manifests/');
  return {
    blobBytes: blobs.reduce((sum, { bytes }) => sum + bytes, 0),
    manifestGets: gets.filter(isManifest).length,
    heads: entries.filter((entry) => entry.method === 'HEAD' && isManifest(entry)).length,
  };
}

const startLasting = () => startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);

/** One node with a store of its own. */
async function startNode(
  { reference }: Pick<Rig, 'reference'>,
  server: string,
  node: string,
  more: readonly string[] = [],
  patient = patientPull,
) {
  const store = path.join(tempDir(), 'store');
  const child = await startPull({ reference, store, node, server, more: [...patient, ...more] });
  return { child, store };
}

/** One that is done, and one that still reads from it, so many bytes a second, and serves nobody. */
async function startWithSlowReader(rig: Rig, server: string, rate: string) {
  rig.gate.shut(200_000);
  const first = await startNode(rig, server, 'node-a', ['--linger', '60s']);
  await rig.gate.waiting(rig.image.layers.length);
  const slow = await startNode(rig, server, 'node-b', ['--no-share', '--limit-rate', rate]);
  await soon(async () => {
    const begun = slow.child.jsonEvents().filter(({ kind }) => kind === 'downloading');
    expect(begun.length).toBeGreaterThanOrEqual(rig.image.layers.length);
  });
  rig.gate.open();
  await first.child.stdout.waitFor(/"bytesFromRegistry"/);
  return [first, slow] as const;
}

async function finishAll(nodes: readonly Awaited<ReturnType<typeof startNode>>[]): Promise<JsonResult[]> {
  const results = (await Promise.all(nodes.map(({ child }) => child.result()))).map(resultOf);
  for (const { store } of nodes) await verifyStore(store);
  return results;
}

function sumOf(results: readonly JsonResult[], field: 'bytesFromRegistry' | 'bytesFromPeers'): number {
  return results.reduce((sum, result) => sum + result[field], 0);
}

describeWith(['docker-registry', 'skopeo'], 'nodes with stores of their own', () => {
  it.each([2, 4])('take every byte from the registry once, %i at the same time', async (count) => {
    const rig = await setUp();
    const { url } = await startLasting();
    rig.gate.shut(1_000);
    const names = Array.from({ length: count }, (_, at) => `node-${at + 1}`);
    const nodes = await Promise.all(names.map((name) => startNode(rig, url, name)));
    const pulls = nodes.map(({ child }) => child);
    await everyoneReads(
      pulls,
      rig.image.layers.map(({ digest }) => digest),
    );
    rig.gate.open();
    const results = await finishAll(nodes);
    const { manifestGets, heads } = await egressOf(rig);
    expect({ manifestGets, heads }).toEqual({ manifestGets: 1, heads: count });
    // One that hands a layer to another node breaks off what it had just begun.
    expect(rig.gate.blobBytes()).toBeLessThanOrEqual(1.05 * rig.bytes);
    expect(sumOf(results, 'bytesFromRegistry')).toBeLessThanOrEqual(1.05 * rig.bytes);
    expect(sumOf(results, 'bytesFromPeers')).toBeGreaterThanOrEqual((count - 1.05) * rig.bytes);
  });

  it('get what another has while it is still downloading it', async () => {
    const rig = await setUp();
    const { url } = await startLasting();
    rig.gate.shut(200_000);
    const first = await startNode(rig, url, 'node-a');
    await rig.gate.waiting(rig.image.layers.length);
    const second = await startNode(rig, url, 'node-b');
    await soon(async () => {
      const offsets = second.child.jsonEvents().filter(({ kind }) => kind === 'progress');
      expect(offsets.some((event) => Number(event['offset']) >= 100_000)).toBe(true);
    });
    rig.gate.open();
    const [, result] = await finishAll([first, second]);
    const copied = result?.layers.filter(({ outcome }) => outcome === 'copied') ?? [];
    expect(copied.map(({ source }) => source)).toContainEqual(
      expect.objectContaining({ kind: 'peer', node: 'node-a' }),
    );
    expect((await egressOf(rig)).blobBytes).toBe(rig.bytes);
  });

  it('get nothing that the registry does not let them read', async () => {
    const rig = await setUp({ auth: true });
    const { url } = await startLasting();
    rig.gate.shut(1_000);
    const first = await startNode(rig, url, 'node-a', ['--creds', 'tester:let-me-pull']);
    await rig.gate.waiting(1);
    const stranger = await startNode(rig, url, 'node-b');
    const run = await stranger.child.result();
    expect(run.code).toBe(4);
    expect(JSON.parse(run.stdout).error).toMatchObject({ code: 'access_denied' });
    expect(await verifyStore(stranger.store)).toEqual([]);
    rig.gate.open();
    await finishAll([first]);
  });

  it('go on when the one that reads the registry is killed, from the bytes that they have', async () => {
    const rig = await setUp();
    const { url } = await startLasting();
    rig.gate.shut(200_000);
    const origin = await startNode(rig, url, 'node-a');
    await rig.gate.waiting(rig.blobs.length - 1);
    const others = await Promise.all(['node-b', 'node-c'].map((name) => startNode(rig, url, name)));
    await soon(async () => {
      for (const { child } of others) {
        const reached = child.jsonEvents().some((event) => Number(event['offset']) >= 100_000);
        expect(reached).toBe(true);
      }
    });
    origin.child.kill('SIGKILL');
    await origin.child.exited;
    rig.gate.open();
    const results = await finishAll(others);
    expect(results).toHaveLength(2);
    // Each layer was sent in part to the one that was killed, and by then at most once more, from there on, to others.
    expect((await egressOf(rig)).blobBytes).toBeLessThan(2 * rig.bytes);
  });

  it('finish from the registry when the lock server is killed and stays away', async () => {
    const rig = await setUp();
    const { url, child: server } = await startLasting();
    rig.gate.shut(200_000);
    // Whoever needs it still goes on as soon as ever.
    const start = (name: string) => startNode(rig, url, name, [], patientSources);
    const nodes = await Promise.all(['node-a', 'node-b'].map(start));
    await rig.gate.waiting(1);
    server.kill('SIGKILL');
    await server.exited;
    rig.gate.open();
    for (const result of await finishAll(nodes)) expect(result.layers).toHaveLength(rig.blobs.length);
  });

  it('keep a node that is done until those who read from it are done too', async () => {
    const rig = await setUp();
    const { url } = await startLasting();
    rig.gate.shut(200_000);
    const first = await startNode(rig, url, 'node-a');
    await rig.gate.waiting(rig.image.layers.length);
    const second = await startNode(rig, url, 'node-b', ['--limit-rate', '1MiB']);
    await soon(async () => {
      expect(second.child.jsonEvents().some(({ kind }) => kind === 'downloading')).toBe(true);
    });
    rig.gate.open();
    const results = await finishAll([first, second]);
    expect(results[1]?.bytesFromRegistry).toBeLessThan(rig.bytes);
    expect((await egressOf(rig)).blobBytes).toBe(rig.bytes);
  });

  it('get all from one that is done while another reads from it, also when they come only then', async () => {
    // It takes longer than a machine takes to start another one, without a pause, and is not waited for.
    const rig = await setUp({}, 64_000_000);
    const { url } = await startLasting();
    const [first, slow] = await startWithSlowReader(rig, url, '1MiB');
    const late = await startNode(rig, url, 'node-c');
    const result = resultOf(await late.child.result());
    expect(slow.child.isRunning()).toBe(true);
    slow.child.kill('SIGKILL');
    await slow.child.exited;
    first.child.kill('SIGINT');
    const results = [...(await finishAll([first])), result];
    await verifyStore(late.store);
    expect(result.layers.map(({ source }) => source)).toEqual(
      result.layers.map(() => expect.objectContaining({ kind: 'peer', node: 'node-a' })),
    );
    expect(sumOf(results, 'bytesFromRegistry')).toBe(rig.bytes);
    expect(await egressOf(rig)).toEqual({ blobBytes: rig.bytes, manifestGets: 1, heads: 3 });
  });

  it('go on without one that is done and interrupted, which ends at once with its result', async () => {
    const rig = await setUp();
    const { url } = await startLasting();
    const [first, slow] = await startWithSlowReader(rig, url, '256KiB');
    first.child.kill('SIGINT');
    const result = resultOf(await first.child.result());
    expect(slow.child.stdout.text()).toBe('');
    expect(result.bytesFromRegistry).toBe(rig.bytes);
    expect(await verifyStore(first.store)).toHaveLength(rig.blobs.length + 1);
    const [rest] = await finishAll([slow]);
    expect(rest?.bytesFromRegistry).toBeGreaterThan(0);
  });
});
