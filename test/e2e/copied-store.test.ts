import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { madeBytes } from '../support/fake-registry.ts';
import { patientPull, patientServer } from '../support/patient.ts';
import { setUpPull } from '../support/planned-pulls.ts';
import { type JsonResult, resultOf, startPull, startServer } from '../support/pulls.ts';
import { tempDir } from '../support/temp.ts';
import { faultsOf } from '../support/whole-store.ts';

const [base, shared, extra] = [
  madeBytes('base', 40_000),
  madeBytes('shared', 60_000),
  madeBytes('extra', 50_000),
];

/** Images with a layer in common beside the one they are made from. */
function addImages(fake: FakeRegistry) {
  const add = (name: string, layers: readonly (Buffer | number)[]) =>
    fake.addImage({ repository: `team/${name}`, layers });
  const [golden, first, second, both] = [
    add('golden', [base]),
    add('first', [base, shared, 1_000]),
    add('second', [base, shared, 2_000]),
    add('both', [base, extra, shared]),
  ];
  const [digest, own] = [first.layers[1]?.digest ?? '', both.layers[1]?.digest ?? ''];
  return { golden, first, second, both, digest, own };
}

/** A store with one image, pulled with a lock server, and a copy of it. No node gives another what it has. */
async function setUp() {
  const { fake, store } = await setUpPull();
  const images = addImages(fake);
  const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
  const start = (reference: string, at: string, node: string) =>
    startPull({
      reference,
      store: at,
      server,
      node,
      more: [...patientPull, '--platform', 'linux/amd64', '--no-share'],
    });
  resultOf(await (await start(images.golden.reference, store, 'golden')).result());
  const copy = path.join(tempDir(), 'copy');
  cpSync(store, copy, { recursive: true });
  return { ...images, fake, server, store, copy, start };
}

const nameOf = (store: string) =>
  JSON.parse(readFileSync(path.join(store, 'layerpull.json'), 'utf8')).storeId;
const outcomeOf = ({ layers }: JsonResult, digest: string) =>
  layers.find((layer) => layer.digest === digest)?.outcome;
const sessionsIn = (store: string) =>
  readdirSync(path.join(store, 'sessions')).filter((name) => !name.startsWith('successor-'));

describe('a store and its copy at one lock server', () => {
  it('do not wait for each other, and each gets all blobs', async () => {
    const { fake, first, second, digest, store, copy, start } = await setUp();
    const gate = fake.hold(digest, 10_000);
    const holder = await start(first.reference, store, 'node-a');
    await gate.reached;
    const other = await start(second.reference, copy, 'node-b');
    await other.nextJsonEvent('downloading', (event) => event['digest'] === digest);
    expect(holder.isRunning()).toBe(true);
    expect(other.jsonEvents().filter(({ kind }) => kind === 'waiting')).toEqual([]);
    gate.release();
    for (const child of [holder, other]) {
      expect(outcomeOf(resultOf(await child.result()), digest)).toBe('downloaded');
    }
    expect([...faultsOf(store), ...faultsOf(copy)]).toEqual([]);
    expect(nameOf(copy)).not.toBe(nameOf(store));
    expect(other.jsonEvents().filter(({ kind }) => kind === 'warning')).toEqual([]);
  });

  it('do not believe that a layer is there because it came into the other', async () => {
    const { first, second, digest, store, copy, start } = await setUp();
    resultOf(await (await start(first.reference, store, 'node-a')).result());
    const result = resultOf(await (await start(second.reference, copy, 'node-b')).result());
    expect(outcomeOf(result, digest)).toBe('downloaded');
    expect([...faultsOf(store), ...faultsOf(copy)]).toEqual([]);
    expect(nameOf(copy)).not.toBe(nameOf(store));
  });

  it('share each what comes into them, the copy under its new name', async () => {
    const { fake, first, second, digest, store, copy, start } = await setUp();
    resultOf(await (await start(first.reference, store, 'node-a')).result());
    const gate = fake.hold(digest, 10_000);
    const one = await start(second.reference, copy, 'node-b');
    await gate.reached;
    const two = await start(second.reference, copy, 'node-c');
    await two.nextJsonEvent('waiting', (event) => event['holder'] === 'node-b');
    gate.release();
    const outcomes = await Promise.all([one, two].map(async (child) => resultOf(await child.result())));
    expect(outcomes.map((result) => outcomeOf(result, digest))).toEqual(['downloaded', 'skipped']);
    expect(faultsOf(copy)).toEqual([]);
  });

  it('bring what is under way in the copy into it once, though it learns only then that it is one', async () => {
    const { fake, first, both, digest, own, store, copy, start } = await setUp();
    const gates = [digest, own].map((one) => fake.hold(one, 10_000));
    const [theirs, ours] = gates.map(({ reached }) => reached);
    const holder = await start(first.reference, store, 'node-a');
    await theirs;
    const other = await start(both.reference, copy, 'node-b');
    await ours;
    await other.nextJsonEvent('downloading', (event) => event['digest'] === digest);
    const third = await start(both.reference, copy, 'node-c');
    for (const _ of gates) await third.nextJsonEvent('waiting', (event) => event['holder'] === 'node-b');
    for (const gate of gates) gate.release();
    const [, brought, shared] = await Promise.all(
      [holder, other, third].map(async (child) => resultOf(await child.result())),
    );
    const outcomes = [brought, shared].map(
      (result) => result && [digest, own].map((one) => outcomeOf(result, one)),
    );
    expect(outcomes).toEqual([
      ['downloaded', 'downloaded'],
      ['skipped', 'skipped'],
    ]);
    expect([fake.blobGets(digest), fake.blobGets(own)]).toEqual([2, 1]);
    expect([...faultsOf(store), ...faultsOf(copy)]).toEqual([]);
  });

  it('leave no file of a session behind', async () => {
    const { first, second, store, copy, start } = await setUp();
    const children = [
      await start(first.reference, store, 'node-a'),
      await start(second.reference, copy, 'node-b'),
    ];
    for (const child of children) resultOf(await child.result());
    expect([...sessionsIn(store), ...sessionsIn(copy)]).toEqual([]);
  });
});

describe('a copy that was made while a pull ran', () => {
  /** The copy has the file of a session that holds the layer at the gate. */
  async function copyMeanwhile() {
    const parts = await setUp();
    const gate = parts.fake.hold(parts.digest, 10_000);
    const holder = await parts.start(parts.first.reference, parts.store, 'node-a');
    await gate.reached;
    const copy = path.join(tempDir(), 'copy');
    cpSync(parts.store, copy, { recursive: true });
    expect(sessionsIn(copy)).toHaveLength(1);
    return { ...parts, gate, holder, copy };
  }

  it('waits for that pull, then downloads the layer itself', async () => {
    const { second, digest, store, copy, start, gate, holder } = await copyMeanwhile();
    const other = await start(second.reference, copy, 'node-b');
    await other.nextJsonEvent('waiting', (event) => event['holder'] === 'node-a');
    gate.release();
    resultOf(await holder.result());
    expect(outcomeOf(resultOf(await other.result()), digest)).toBe('downloaded');
    expect([...faultsOf(store), ...faultsOf(copy)]).toEqual([]);
  });

  it('waits for nobody once its sessions are removed', async () => {
    const { second, digest, store, copy, start, gate, holder } = await copyMeanwhile();
    rmSync(path.join(copy, 'sessions'), { recursive: true });
    const other = await start(second.reference, copy, 'node-b');
    await other.nextJsonEvent('downloading', (event) => event['digest'] === digest);
    gate.release();
    for (const child of [holder, other]) {
      expect(outcomeOf(resultOf(await child.result()), digest)).toBe('downloaded');
    }
    expect(nameOf(copy)).not.toBe(nameOf(store));
  });
});

describe('a store that several nodes share at a lock server', () => {
  it('keeps its name', async () => {
    const { first, second, store, start } = await setUp();
    const name = nameOf(store);
    const children = await Promise.all(
      [first, second, first, second].map(({ reference }, at) => start(reference, store, `node-${at}`)),
    );
    for (const child of children) resultOf(await child.result());
    expect(nameOf(store)).toBe(name);
    expect(faultsOf(store)).toEqual([]);
  });
});
