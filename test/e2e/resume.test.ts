import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import { onCleanup } from '../support/cleanup.ts';
import type { Fault } from '../support/fake-registry.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { patientPull, patientServer } from '../support/patient.ts';
import { resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const mib = 1_048_576;
const size = 6 * mib;

/** A registry with an image of one large layer. */
async function setUp() {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  const image = registry.addImage({ layers: [size] });
  const [layer] = image.layers;
  if (!layer) throw new Error('the image has no layer');
  const store = path.join(tempDir(), 'store');
  const folder = path.join(store, 'ingest', layer.digest.replace(':', '-'));
  const partials = () => {
    try {
      return readdirSync(folder).map((name) => path.join(folder, name));
    } catch {
      return [];
    }
  };
  /** The first byte that each request for the layer asked for. */
  const asked = () =>
    registry.requests
      .filter(({ path: one }) => one.endsWith(`/blobs/${layer.digest}`))
      .map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
  return { registry, layer, store, reference: image.reference, partials, asked };
}

type Rig = Awaited<ReturnType<typeof setUp>>;

/** Pulls until `bytes` of the layer came and at least `onDisk` of them are in the partial. */
async function pullUntil(
  rig: Rig,
  bytes: number,
  onDisk: number,
  more: readonly string[] = [],
  server?: string,
) {
  const gate = rig.registry.hold(rig.layer.digest, bytes);
  const { reference, store } = rig;
  const pull = await startPull({ reference, store, node: 'node-a', more, ...(server ? { server } : {}) });
  await gate.reached;
  await soon(async () => {
    const [partial = ''] = rig.partials();
    expect(statSync(partial).size).toBeGreaterThanOrEqual(onDisk);
  });
  return { gate, pull };
}

/** Who holds what. Asked from here: a process might not be there before a pull has ended. */
async function holders(server: string) {
  const locks = createHttpLocks({ servers: [new URL(server)], version: 'test', clock: systemClock });
  onCleanup(() => locks.close());
  const resources = await locks.list({});
  return resources.flatMap(({ resourceId, holder }) => (holder ? [`${holder.nodeId}: ${resourceId}`] : []));
}

/** A second pull, of which only the bytes that are missing may be asked for. */
async function pullTheRest(rig: Rig, there: number): Promise<void> {
  const { registry, layer, reference, store } = rig;
  const sentBefore = registry.bytesSent(layer.digest);
  const requestsBefore = rig.asked().length;
  const result = resultOf(await (await startPull({ reference, store })).result());
  expect(rig.asked().slice(requestsBefore)).toEqual([there]);
  expect(registry.bytesSent(layer.digest) - sentBefore).toBe(size - there);
  expect(result.layers.find(({ digest }) => digest === layer.digest)?.bytes).toBe(size - there);
  expect(await verifyStore(store)).toContain(layer.digest);
}

describe('a pull that went away in the middle of a layer', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s leaves every byte that came, and the next asks for the others only',
    async (signal) => {
      const rig = await setUp();
      const { gate, pull } = await pullUntil(rig, 4 * mib + 1_234, 3 * mib);
      // What the registry sent is on its way for a moment; it is in the partial once the pull has told so.
      await pull.nextJsonEvent('progress', ({ offset }) => offset === 4 * mib + 1_234);
      pull.kill(signal);
      await pull.exited;
      gate.release();
      const [partial = ''] = rig.partials();
      expect(statSync(partial).size).toBe(4 * mib + 1_234);
      await pullTheRest(rig, 4 * mib + 1_234);
    },
  );

  it('by SIGKILL leaves what it had written, and the next asks for the rest', async () => {
    const rig = await setUp();
    const { gate, pull } = await pullUntil(rig, 4 * mib + 1_234, 3 * mib);
    pull.kill('SIGKILL');
    await pull.exited;
    gate.release();
    const [partial = ''] = rig.partials();
    await pullTheRest(rig, statSync(partial).size);
  });

  it('by SIGKILL leaves one partial, however often it happens', async () => {
    const rig = await setUp();
    const names = new Set<string>();
    for (const bytes of [3 * mib, 4 * mib, 5 * mib]) {
      const gate = rig.registry.hold(rig.layer.digest, bytes);
      const pull = await startPull({ reference: rig.reference, store: rig.store });
      await gate.reached;
      await soon(async () => {
        expect(rig.partials()).toHaveLength(1);
        expect(rig.partials().filter((name) => names.has(name))).toEqual([]);
      });
      for (const name of rig.partials()) names.add(name);
      pull.kill('SIGKILL');
      await pull.exited;
      gate.release();
    }
    const [partial = ''] = rig.partials();
    await pullTheRest(rig, statSync(partial).size);
  });

  it('by its --timeout ends with exit code 5, keeps what came, and the next asks for the rest', async () => {
    const rig = await setUp();
    const { url } = await startServer();
    const { gate, pull } = await pullUntil(rig, 4 * mib, 3 * mib, ['--timeout', '15s'], url);
    expect(await holders(url)).toContain(`node-a: ${rig.layer.digest}`);
    const run = await pull.result();
    expect(run.code).toBe(5);
    expect(JSON.parse(run.stdout).error).toMatchObject({
      code: 'timed_out',
      message: 'the pull took longer than 15 s',
      retryable: true,
    });
    expect(await holders(url)).toEqual([]);
    gate.release();
    const [partial = ''] = rig.partials();
    await pullTheRest(rig, statSync(partial).size);
  });

  it('by its --layer-timeout ends likewise', async () => {
    const rig = await setUp();
    const { gate, pull } = await pullUntil(rig, 4 * mib, 3 * mib, ['--layer-timeout', '10s']);
    const run = await pull.result();
    expect(run.code).toBe(5);
    expect(JSON.parse(run.stdout).error).toMatchObject({
      code: 'timed_out',
      message: `layer ${rig.layer.digest} took longer than 10 s`,
    });
    gate.release();
    const [partial = ''] = rig.partials();
    await pullTheRest(rig, statSync(partial).size);
  });

  it('by SIGKILL is followed by the node that waits, which writes into a file of its own', async () => {
    const rig = await setUp();
    const { registry, layer, reference, store } = rig;
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
    const { gate, pull: first } = await pullUntil(rig, 3 * mib, 2 * mib, patientPull, server);
    const second = await startPull({ reference, store, server, node: 'node-b', more: patientPull });
    await second.nextJsonEvent('waiting', ({ digest }) => digest === layer.digest);
    const [left = ''] = rig.partials();
    first.kill('SIGKILL');
    await first.exited;
    const bytes = readFileSync(left);
    const leftFile = openSync(left, 'r');
    onCleanup(() => closeSync(leftFile));
    const event = await second.nextJsonEvent('downloading', ({ digest }) => digest === layer.digest);
    expect(event['offset']).toBe(bytes.length);
    await registry.arrived(layer.digest, 2);
    gate.allow(mib);
    await soon(async () => {
      const [own = ''] = rig.partials().filter((file) => file !== left);
      expect(statSync(own).size).toBeGreaterThan(bytes.length);
    });
    // It is removed once it was copied, and nobody wrote into it before.
    expect(readFileSync(leftFile).equals(bytes)).toBe(true);
    gate.release();
    const result = resultOf(await second.result());
    expect(rig.asked()).toEqual([0, bytes.length]);
    expect(result.layers.find(({ digest }) => digest === layer.digest)?.bytes).toBe(size - bytes.length);
    expect(await verifyStore(store)).toContain(layer.digest);
  });
});

describe('a pull whose registry misbehaves', () => {
  const cut = { kind: 'truncating', afterBytes: mib } as const;
  const faults: readonly (readonly [string, readonly Fault[], readonly number[]])[] = [
    ['breaks off twice', [cut, cut], [0, mib, 2 * mib]],
    ['resets before it answers', [{ kind: 'reset' }, { kind: 'resetAt', stage: 'headers' }], [0, 0, 0]],
    ['falls silent', [{ kind: 'stalling', afterBytes: mib }, { kind: 'silent' }], [0, mib, mib]],
    ['ignores ranges', [cut, { kind: 'ignoresRange' }], [0, mib]],
    ['lies about its range', [cut, { kind: 'wrongContentRange' }], [0, mib, 0]],
    ['asks to wait', [cut, { kind: 'serverError', status: 503, retryAfter: '1' }], [0, mib, mib]],
  ];

  it.each(faults)('because it %s, goes on from its offset in the same process', async (_, plan, offsets) => {
    const rig = await setUp();
    const { registry, layer, reference, store } = rig;
    for (const fault of plan) registry.fault(layer.digest, fault);
    const pull = await startPull({ reference, store, more: ['--stall-timeout', '3s'] });
    resultOf(await pull.result());
    expect(rig.asked()).toEqual(offsets);
    expect(await verifyStore(store)).toContain(layer.digest);
  });

  it.each([{ kind: 'flaky', afterBytes: mib } as const, { kind: 'presigned', afterBytes: mib } as const])(
    'in the form of %o, several times, goes on from what arrived each time',
    async (fault) => {
      const rig = await setUp();
      const { registry, layer, reference, store } = rig;
      registry.fault(layer.digest, fault, 3);
      resultOf(await (await startPull({ reference, store })).result());
      const asked = rig.asked();
      expect(asked).toHaveLength(4);
      expect(asked).toEqual(asked.toSorted((a, b) => a - b));
      expect(await verifyStore(store)).toContain(layer.digest);
    },
  );

  it.each([
    [{ kind: 'wrongDigest' } as const, 6],
    [{ kind: 'endless' } as const, 6],
    [{ kind: 'tooLong', extraBytes: 1 } as const, 6],
    [{ kind: 'compressed', declared: true } as const, 5],
    [{ kind: 'compressed', declared: false } as const, 6],
  ])('because it sends %o, publishes nothing, and the next pull works', async (fault, code) => {
    const { registry, layer, reference, store } = await setUp();
    registry.fault(layer.digest, fault, 99);
    const run = await (await startPull({ reference, store })).result();
    expect(run.code, run.stderr).toBe(code);
    expect(await verifyStore(store)).not.toContain(layer.digest);
    registry.clearFaults();
    resultOf(await (await startPull({ reference, store })).result());
    expect(await verifyStore(store)).toContain(layer.digest);
  });
});

describe('limits of a pull', () => {
  it('that make it slow leave it whole', async () => {
    const { registry, layer, reference, store } = await setUp();
    const more = ['--limit-rate', '4MiB', '--limit-registry-rps', '4'];
    const result = resultOf(await (await startPull({ reference, store, more })).result());
    // At most the tenth of a second that may be used at once is for nothing.
    expect(result.durationMs).toBeGreaterThan((size / (4 * mib)) * 1_000 - 200);
    expect(await verifyStore(store)).toContain(layer.digest);
    expect(registry.blobGets(layer.digest)).toBe(1);
  });
});
