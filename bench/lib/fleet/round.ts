import { spawnSync } from 'node:child_process';
import { withOwnCleanups } from '../../../test/support/cleanup.ts';
import type { NetworkHost } from '../../../test/support/netns.ts';
import type { Contender, Crew, NodeRun } from './contenders.ts';
import type { FleetImage, Site } from './site.ts';
import { verifyImage } from './verify.ts';

/** What one round took. Every node had the whole image, verified, in the end. */
export interface Round {
  /** From the start of the first node until the last one is done; nodes that were frozen do not count. */
  readonly lastMs: number;
  /** Bytes that left the registry until then, with all headers. */
  readonly egressBytes: number;
  /** Where nodes were frozen: what the registry spent on them. */
  readonly frozen?: FrozenShare;
}

export interface FrozenShare {
  /** Bytes among those of the egress that waited at frozen nodes, unread, in the end. */
  readonly waitingBytes: number;
  /** What the registry sent once they went on, when all others were done. */
  readonly laterBytes: number;
}

/** What a fault may do to a round. */
export interface Scene {
  readonly site: Site;
  readonly image: FleetImage;
  readonly crew: Crew;
  readonly nodes: readonly NetworkHost[];
  /** Bytes that left a node since the nodes were started. */
  sentBy(node: NetworkHost): number;
  /** Ends all that runs on a node, as a power cut does; then the node starts again. */
  kill(node: NetworkHost): void;
  /** Stops all that runs on a node, until all others are done. */
  freeze(node: NetworkHost): void;
}

export interface Fault {
  readonly name: string;
  /** Before any node starts. */
  before?(scene: Scene): Promise<void>;
  /** Once half of the image has left the registry. */
  atHalf?(scene: Scene): void;
}

export interface RoundPlan {
  readonly site: Site;
  readonly image: FleetImage;
  readonly contender: Contender;
  readonly nodes: number;
  readonly fault?: Fault | undefined;
}

const lookEveryMs = 50;
const patienceMs = 600_000;

/** Starts all nodes at once and waits for all. @throws when one fails, has wrong bytes or takes ten minutes */
export async function runRound(plan: RoundPlan): Promise<Round> {
  return await withOwnCleanups(async () => {
    const nodes = plan.site.nodes.slice(0, plan.nodes);
    const crew = await plan.contender.prepare(plan.site, plan.image, nodes);
    const round = await pullEverywhere(plan, crew, nodes);
    for (const node of nodes) await verifyImage(crew.storeOf(node), plan.image.digests);
    return round;
  });
}

async function pullEverywhere(plan: RoundPlan, crew: Crew, nodes: readonly NetworkHost[]): Promise<Round> {
  const { site, image, fault } = plan;
  const actors = createActors(crew);
  const sentBefore = new Map(nodes.map((node) => [node, node.traffic().sent]));
  const sentBy = (node: NetworkHost) => node.traffic().sent - (sentBefore.get(node) ?? 0);
  const scene: Scene = { site, image, crew, nodes, sentBy, kill: actors.kill, freeze: actors.freeze };
  await fault?.before?.(scene);
  const before = site.registry.traffic().sent;
  const egress = () => site.registry.traffic().sent - before;
  const deadline = performance.now() + patienceMs;
  const startedAt = performance.now();
  const all = Promise.all(nodes.map(actors.pull));
  // Told by the race below, unless something else ends the round first.
  all.catch(() => {});
  let pending = fault?.atHalf;
  while (!nodes.every(actors.isDoneOrFrozen)) {
    if (performance.now() > deadline) throw new Error(`not done after ${patienceMs / 1_000} s`);
    if (pending && egress() >= image.bytes / 2) {
      pending(scene);
      pending = undefined;
    }
    await Promise.race([all, sleep(lookEveryMs)]);
  }
  const lastMs = actors.lastDoneAt() - startedAt;
  const egressBytes = egress();
  const waitingBytes = actors.frozen().reduce((sum, node) => sum + waitingFrom(site, node), 0);
  if (pending) throw new Error(`${fault?.name}: done before half of the image had left the registry`);
  actors.thaw();
  await Promise.race([all, sleep(patienceMs).then(() => Promise.reject(new Error('still frozen')))]);
  const isDisturbed = actors.frozen().length > 0;
  return {
    ...{ lastMs, egressBytes },
    ...(isDisturbed ? { frozen: { waitingBytes, laterBytes: egress() - egressBytes } } : {}),
  };
}

/** Bytes of the registry that came to a node and were not read. */
function waitingFrom({ registryUrl }: Site, { via }: NetworkHost): number {
  const args = ['ss', '-tnHO', 'state', 'established', 'dport', '=', new URL(registryUrl).port];
  const [command = '', ...rest] = [...via, ...args];
  const { stdout, stderr, status } = spawnSync(command, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ss: ${stderr.trim()}`);
  return stdout.split('\n').reduce((sum, line) => sum + (Number.parseInt(line, 10) || 0), 0);
}

/** What runs on the nodes, and what faults do to it. */
function createActors(crew: Crew) {
  const runs = new Map<NetworkHost, NodeRun>();
  const doneAt = new Map<NetworkHost, number>();
  const killed = new Set<NetworkHost>();
  const frozen = new Set<NetworkHost>();
  const signal = (node: NetworkHost, name: NodeJS.Signals) => {
    for (const child of runs.get(node)?.processes ?? []) child.kill(name);
  };
  const pull = async (node: NetworkHost): Promise<void> => {
    const run = await crew.start(node);
    runs.set(node, run);
    const { code } = await run.pull.exited;
    if (killed.delete(node)) {
      await Promise.all(run.processes.map(({ exited }) => exited));
      return await pull(node);
    }
    if (code !== 0) throw new Error(`${node.name} failed: ${run.pull.stderr.text().trim().slice(-500)}`);
    if (!frozen.has(node)) doneAt.set(node, performance.now());
  };
  return {
    pull,
    isDoneOrFrozen: (node: NetworkHost) => doneAt.has(node) || frozen.has(node),
    frozen: () => [...frozen],
    lastDoneAt: () => Math.max(...doneAt.values()),
    kill: (node: NetworkHost) => {
      killed.add(node);
      signal(node, 'SIGKILL');
    },
    freeze: (node: NetworkHost) => {
      frozen.add(node);
      signal(node, 'SIGSTOP');
    },
    thaw: () => {
      for (const node of frozen) signal(node, 'SIGCONT');
    },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
