import path from 'node:path';
import { expect, it } from 'vitest';
import { startAgent } from '../support/agents.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type CliChild, runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import {
  busiest,
  type FleetServer,
  killed,
  type LockFleet,
  startLockFleet,
  untilReady,
} from '../support/lock-fleet.ts';
import { patientAgent, patientServer, patientSources } from '../support/patient.ts';
import { downloadsByDigest, resultOf, startPull, verifyStore } from '../support/pulls.ts';
import { everyoneReads } from '../support/readers.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const heldAfter = 1_000;
const sizes = [300_000, 400_000, 500_000, 600_000, 700_000, 800_000];
/** However slow this machine is, nobody goes on alone. */
const reach = ['--out-of-reach', '60s', '--first-contact', '60s'];
const patient = [...patientSources, ...reach];

/** A registry that sends no more than the beginning of each layer until it is opened. */
async function heldRegistry() {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  const { reference, digest, config, layers } = registry.addImage({ layers: sizes });
  const gates = layers.map((layer) => registry.hold(layer.digest, heldAfter));
  const open = () => {
    for (const gate of gates) gate.release();
  };
  const all = [digest, config.digest, ...layers.map((one) => one.digest)];
  return { registry, reference, layers, open, all };
}

type Held = Awaited<ReturnType<typeof heldRegistry>>;

async function setUp(members = 3) {
  const [held, fleet] = await Promise.all([
    heldRegistry(),
    startLockFleet({ members, serve: patientServer }),
  ]);
  return { held, fleet };
}

interface Node {
  readonly child: CliChild;
  readonly store: string;
}

/** Pulls that know all servers and get all layers at a time. */
async function startNodes(
  { reference }: Held,
  { urls: server }: LockFleet,
  stores: readonly string[],
  more: readonly string[] = patient,
): Promise<Node[]> {
  const args = { reference, server, more: ['--concurrency', '8', ...more] };
  const start = async (store: string) => ({
    store,
    child: await startPull({ ...args, store, node: path.basename(store) }),
  });
  return await Promise.all(stores.map(start));
}

function storesOf(...nodes: readonly string[]): string[] {
  const folder = tempDir();
  return nodes.map((node) => path.join(folder, node));
}

/** Until each of the pulls reads every layer: so nobody is done, and gone, before another one has asked. */
async function allRead(nodes: readonly Node[], { layers }: Held): Promise<void> {
  await everyoneReads(
    nodes.map(({ child }) => child),
    layers.map(({ digest }) => digest),
  );
}

/** All ended well, with all that the image has. */
async function allHaveIt(nodes: readonly Node[], { all }: Held) {
  const results = await Promise.all(nodes.map(async ({ child }) => resultOf(await child.result())));
  for (const { store } of nodes) expect(await verifyStore(store)).toEqual(expect.arrayContaining(all));
  return results;
}

/** Whoever handed a layer on to another node had no more than the beginning that was sent to all. */
function eachWasSentOnce({ registry, layers }: Held): void {
  for (const { digest, size } of layers) {
    const again = registry.blobGets(digest) - 1;
    expect(registry.bytesSent(digest), digest).toBeLessThanOrEqual(size + again * heldAfter);
  }
}

const kindsOf = (pull: CliChild) => new Set(pull.jsonEvents().map(({ kind }) => kind));

const warningsOf = (nodes: readonly Node[]) =>
  nodes.map(({ child }) => child.jsonEvents().filter(({ kind }) => kind === 'warning'));

/** What `nodes` and `status` print of it, without times and offsets. */
async function knownTo({ url }: FleetServer) {
  const print = async (command: string, key: string): Promise<JsonObject[]> =>
    JSON.parse((await runCli([command, '--json', '--server', url])).stdout)[key];
  const nodes = await print('nodes', 'nodes');
  const resources = await print('status', 'resources');
  return {
    nodes: nodes.map(({ nodeId, state }) => `${nodeId} ${state}`).sort(),
    resources: resources.map(({ digest, domain, state }) => `${digest} ${domain} ${state}`).sort(),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

describeWith(['etcd'], 'nodes of three lock servers over etcd', () => {
  it('get every layer from the registry once while a server and the leader of etcd are killed', async () => {
    const { held, fleet } = await setUp();
    const early = await startNodes(held, fleet, storesOf('a', 'b', 'c', 'd'));
    await allRead(early, held);
    await Promise.all([busiest(fleet), await fleet.etcd.leader()].map(killed));
    const nodes = [...early, ...(await startNodes(held, fleet, storesOf('e', 'f', 'g', 'h')))];
    await allRead(nodes, held);
    held.open();
    await allHaveIt(nodes, held);
    eachWasSentOnce(held);
    expect(warningsOf(nodes)).toEqual(nodes.map(() => []));
  });

  it('do so through agents', async () => {
    const { held, fleet } = await setUp();
    const stores = storesOf('a', 'b', 'c', 'd');
    const agents = stores.map((store) => ({ store, server: fleet.urls, node: path.basename(store) }));
    await Promise.all(agents.map((agent) => startAgent({ ...agent, more: patientAgent })));
    const args = { reference: held.reference, more: ['--concurrency', '8', ...patient] };
    const startOne = async (store: string) => ({ store, child: await startPull({ ...args, store }) });
    const early = await Promise.all(stores.slice(0, 2).map(startOne));
    await allRead(early, held);
    await Promise.all([busiest(fleet), await fleet.etcd.leader()].map(killed));
    const nodes = [...early, ...(await Promise.all(stores.slice(2).map(startOne)))];
    await allRead(nodes, held);
    held.open();
    await allHaveIt(nodes, held);
    eachWasSentOnce(held);
    expect(warningsOf(nodes)).toEqual(nodes.map(() => []));
  });

  it('download once into a store that they share while a server and a member of etcd are killed', async () => {
    const { held, fleet } = await setUp();
    const [store = ''] = storesOf('shared');
    const nodes = await startNodes(held, fleet, [store, store, store, store]);
    await soon(async () => {
      const kinds = nodes.map(({ child }) => kindsOf(child));
      for (const one of kinds) expect(one.has('waiting') || one.has('downloading')).toBe(true);
    });
    const leader = await fleet.etcd.leader();
    const others = fleet.etcd.members.filter((member) => member !== leader);
    await Promise.all([busiest(fleet), ...others.slice(0, 1)].map(killed));
    held.open();
    const downloads = downloadsByDigest(await allHaveIt(nodes, held));
    expect([...downloads.values()]).toEqual(held.all.slice(1).map(() => 1));
    expect(held.layers.map(({ digest }) => held.registry.blobGets(digest))).toEqual(sizes.map(() => 1));
    expect(warningsOf(nodes)).toEqual(nodes.map(() => []));
  });

  it('are the same to all servers, and go on at once when one is stopped', async () => {
    const { held, fleet } = await setUp(1);
    const nodes = await startNodes(held, fleet, storesOf('a', 'b'));
    await allRead(nodes, held);
    await soon(async () => {
      const [first, ...others] = await Promise.all(fleet.servers.map(knownTo));
      // Each of both holds all layers.
      expect(first?.resources).toHaveLength(2 * sizes.length);
      expect(first?.nodes).toEqual(['a online', 'b online']);
      expect(others).toEqual([first, first]);
    });
    const { child } = busiest(fleet);
    child.kill('SIGINT');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    held.open();
    await allHaveIt(nodes, held);
    eachWasSentOnce(held);
    expect(warningsOf(nodes)).toEqual(nodes.map(() => []));
  });

  it('leave a server that is frozen, and get every layer from the registry once', async () => {
    const { held, fleet } = await setUp(1);
    const early = await startNodes(held, fleet, storesOf('a', 'b', 'c'));
    await allRead(early, held);
    const { child, url } = busiest(fleet);
    child.kill('SIGSTOP');
    const nodes = [...early, ...(await startNodes(held, fleet, storesOf('d', 'e')))];
    await allRead(nodes, held);
    held.open();
    await allHaveIt(nodes, held);
    eachWasSentOnce(held);
    expect(warningsOf(nodes)).toEqual(nodes.map(() => []));
    child.kill('SIGCONT');
    await untilReady(url, 200);
  });

  it('wait while all of etcd is frozen, and get every layer from the registry once', async () => {
    const { held, fleet } = await setUp();
    const early = await startNodes(held, fleet, storesOf('a', 'b'));
    await allRead(early, held);
    for (const member of fleet.etcd.members) member.freeze();
    const nodes = [...early, ...(await startNodes(held, fleet, storesOf('c', 'd')))];
    for (const { url } of fleet.servers) await untilReady(url, 503);
    for (const member of fleet.etcd.members) member.thaw();
    await allRead(nodes, held);
    held.open();
    await allHaveIt(nodes, held);
    eachWasSentOnce(held);
    for (const { url } of fleet.servers) await untilReady(url, 200);
  });

  it('go on by themselves when all servers are killed, and say so once', async () => {
    const { held, fleet } = await setUp(1);
    const bounds = [...patientSources, '--out-of-reach', '1s', '--first-contact', '1s'];
    const early = await startNodes(held, fleet, storesOf('a', 'b'));
    await allRead(early, held);
    await Promise.all(fleet.servers.map(killed));
    const late = await startNodes(held, fleet, storesOf('c', 'd'), bounds);
    held.open();
    await allHaveIt([...early, ...late], held);
    expect(warningsOf(late)).toEqual(late.map(() => [expect.objectContaining({ code: 'lock_unreachable' })]));
    // Who read all of it already needed no lock server any more.
    expect(warningsOf(early)).toEqual(early.map(() => []));
  });
});
