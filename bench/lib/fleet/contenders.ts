import path from 'node:path';
import type { NetworkHost } from '../../../test/support/netns.ts';
import type { Child } from '../../../test/support/processes.ts';
import { tempDir } from '../../../test/support/temp.ts';
import type { ContenderName } from './options.ts';
import { startComponent, startLayerpull, urlOf } from './programs.ts';
import { type FleetImage, type Site, serveRegistry } from './site.ts';

/** One node's part of a round. */
export interface NodeRun {
  /** Ends when the node has the image. */
  readonly pull: Child;
  /** All that runs on the node, the pull among them. */
  readonly processes: readonly Child[];
}

/** A fleet that is ready to pull one image. */
export interface Crew {
  readonly lockServer?: Child;
  readonly lockUrl?: string;
  /** Again for a node that was killed. */
  start(node: NetworkHost): Promise<NodeRun>;
  /** Where the node's blobs end up. */
  storeOf(node: NetworkHost): string;
}

export interface Contender {
  readonly name: string;
  /** Whether its nodes help each other, so that there is something to aim at. */
  readonly shares: boolean;
  /** What need not be measured: starts servers, with nothing of the image anywhere. */
  prepare(site: Site, image: FleetImage, nodes: readonly NetworkHost[]): Promise<Crew>;
}

/** One node that knows of nobody: what the others are measured by. */
export const alone: Contender = {
  name: 'pull, no coordination',
  shares: false,
  prepare: async (_site, image) => {
    const storeOf = freshStores();
    return { storeOf, start: (node) => justPull(node, image, storeOf(node)) };
  },
};

const pulls: Contender = {
  name: 'pull --server',
  shares: true,
  prepare: async (site, image) => {
    const storeOf = freshStores();
    const { lockServer, lockUrl } = await startLockServer(site);
    const start = (node: NetworkHost) => justPull(node, image, storeOf(node), '--server', lockUrl);
    return { lockServer, lockUrl, storeOf, start };
  },
};

const agents: Contender = {
  name: 'pull through agents',
  shares: true,
  prepare: async (site, image, nodes) => {
    const storeOf = freshStores();
    const { lockServer, lockUrl } = await startLockServer(site);
    const agentOn = (node: NetworkHost) => startAgent(node, storeOf(node), lockUrl);
    const ready = new Map<NetworkHost, Child>();
    for (const node of nodes) ready.set(node, await agentOn(node));
    const start = async (node: NetworkHost) => {
      const before = ready.get(node);
      const agent = before?.isRunning() ? before : await agentOn(node);
      const { pull } = await justPull(node, image, storeOf(node));
      return { pull, processes: [pull, agent] };
    };
    return { lockServer, lockUrl, storeOf, start };
  },
};

const skopeo: Contender = {
  name: 'skopeo copy',
  shares: false,
  prepare: async (_site, image) => skopeoCrew(image.reference),
};

const cache: Contender = {
  name: 'skopeo, cold pull-through cache',
  shares: false,
  prepare: async ({ extra, registryUrl }, image) => {
    await serveRegistry(extra, { proxyOf: registryUrl });
    const { host } = new URL(registryUrl);
    return skopeoCrew(image.reference.replace(host, host.replace(/^[^:]+/, extra.address)));
  },
};

export const contenders: Readonly<Record<ContenderName, Contender>> = { pulls, agents, skopeo, cache };

/** An empty folder for each node, made when it is asked for first. */
function freshStores(): (node: NetworkHost) => string {
  const folder = tempDir();
  return (node) => path.join(folder, node.name);
}

async function startLockServer({ lock, lockFlags }: Site) {
  const form = ['--addr', `${lock.address}:8080`, '--ephemeral', ...lockFlags];
  const lockServer = await startLayerpull(lock, 'serve', ...form);
  return { lockServer, lockUrl: await urlOf(lockServer) };
}

async function startAgent(host: NetworkHost, store: string, lockUrl: string): Promise<Child> {
  const listen = ['--peer-addr', `${host.address}:0`];
  const agent = await startLayerpull(
    host,
    ...['agent', ...listen, '--store', store, '--server', lockUrl, '--node', host.name],
  );
  await urlOf(agent);
  return agent;
}

async function justPull(node: NetworkHost, { reference }: FleetImage, store: string, ...more: string[]) {
  const form = ['--plain-http', '--platform', 'linux/amd64', '--progress', 'none'];
  const pull = await startLayerpull(
    node,
    ...['pull', reference, '--store', store, '--node', node.name, ...form, ...more],
  );
  return { pull, processes: [pull] };
}

function skopeoCrew(reference: string): Crew {
  const storeOf = freshStores();
  const start = async (node: NetworkHost) => {
    const from = ['--src-tls-verify=false', `docker://${reference}`];
    const to = `oci:${storeOf(node)}:bench`;
    // As it is in the registry; else skopeo would compress layers that are not.
    const asIs = ['--preserve-digests', '--dest-oci-accept-uncompressed-layers'];
    const pull = await startComponent(
      node,
      'skopeo',
      ...['--insecure-policy', 'copy', '-q', ...asIs, ...from, to],
    );
    return { pull, processes: [pull] };
  };
  return { storeOf, start };
}
