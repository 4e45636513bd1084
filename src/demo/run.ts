import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { abortable } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { formatPlatform } from '../core/descriptor.ts';
import { type Child, type SpawnChild, stopChildren } from './children.ts';
import type { NodeEvent } from './events.ts';
import { type MadeImage, makeImage } from './image.ts';
import { pullOn, startLockServer, type TroubleListener } from './processes.ts';
import { type Registry, startRegistry } from './registry.ts';
import { type DemoRegistryResult, type DemoResult, type NodeDocument, summarise } from './result.ts';

export interface DemoOptions {
  /** Reference of an image in a real registry. Default: an image that the demo makes and serves itself. */
  readonly image?: string | undefined;
  /** How many nodes pull, at most 26. */
  readonly nodes: number;
  /** Limit of the embedded registry. Default 12 MiB/s, so that there is something to see. */
  readonly bytesPerSecond?: number;
  /** Starts children that remove `folder` when this process dies. */
  readonly createSpawn: (folder: string) => SpawnChild;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onStart: (start: DemoStart) => void;
  readonly onEvent: (node: string, event: NodeEvent) => void;
  readonly onTrouble: TroubleListener;
}

/** What is known before the nodes start. */
export interface DemoStart {
  readonly reference: string;
  readonly nodes: readonly string[];
  /** Present when the registry is embedded. */
  readonly bytesPerSecond?: number;
  /** URL of the lock server. */
  readonly lockServer: string;
}

interface Upstream {
  readonly reference: string;
  readonly embedded?: {
    readonly registry: Registry;
    readonly image: MadeImage;
    readonly bytesPerSecond: number;
  };
}

const defaultBytesPerSecond = 12 * 1_048_576;

/** Few at once, so that each node gets some of the layers and every one has to wait for others. */
const layersAtOnce = '2';

/**
 * Lets several nodes, each a process of its own, pull one image into one store at the same moment.
 * Whatever happens, no process and no file is left behind.
 *
 * @throws LayerpullError of the first process that fails; `signal.reason`
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const upstream = await openUpstream(options);
  try {
    return await inTemporaryFolder((folder) => withChildren(options, folder, upstream));
  } finally {
    await upstream.embedded?.registry.close();
  }
}

async function openUpstream(options: DemoOptions): Promise<Upstream> {
  if (options.image !== undefined) return { reference: options.image };
  const { clock, bytesPerSecond = defaultBytesPerSecond } = options;
  const image = makeImage();
  const registry = await startRegistry({ image, clock, bytesPerSecond });
  return { reference: registry.reference, embedded: { registry, image, bytesPerSecond } };
}

async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'layerpull-demo-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function withChildren(options: DemoOptions, folder: string, upstream: Upstream): Promise<DemoResult> {
  const children: Child[] = [];
  let stopping = false;
  const spawnTethered = options.createSpawn(folder);
  const spawn: SpawnChild = (args) => {
    options.signal.throwIfAborted();
    const child = spawnTethered(args);
    children.push(child);
    return child;
  };
  // What a process says because it is stopped is no trouble.
  const onTrouble: TroubleListener = (name, lastLines) => {
    if (!stopping) options.onTrouble(name, lastLines);
  };
  try {
    return await pullOnAll({ ...options, spawn, onTrouble, store: join(folder, 'store'), upstream });
  } finally {
    stopping = true;
    const [server, ...nodes] = children;
    // The nodes first, so that they can give their locks back; both in less than the time a command has to end.
    await stopChildren(nodes, options.clock, 1_000);
    if (server) await stopChildren([server], options.clock, 500);
  }
}

interface PullOnAllOptions extends DemoOptions {
  readonly spawn: SpawnChild;
  readonly store: string;
  readonly upstream: Upstream;
}

async function pullOnAll(options: PullOnAllOptions): Promise<DemoResult> {
  const { upstream, clock, signal } = options;
  const { embedded, reference } = upstream;
  const server = await startLockServer(options);
  const nodes = nodeNames(options.nodes);
  const rate = embedded ? { bytesPerSecond: embedded.bytesPerSecond } : {};
  options.onStart({ reference, nodes, lockServer: server.url, ...rate });
  const startedMs = clock.now();
  const args = pullArguments(options, server.url);
  const pulls = Promise.all(nodes.map((node) => pullOnNode(node, args, options)));
  const results = await abortable(Promise.race([pulls, server.died()]), signal);
  const durationMs = Math.round(clock.now() - startedMs);
  const counted = embedded && {
    bytesSent: embedded.registry.bytesSent(),
    imageBytes: embedded.image.sizeBytes,
  };
  return { ...summarise(results, counted), registry: registryResult(upstream), durationMs };
}

function pullArguments({ upstream, store }: PullOnAllOptions, server: string): string[] {
  const { embedded, reference } = upstream;
  const platform = embedded ? ['--platform', formatPlatform(embedded.image.platform)] : [];
  return [reference, '--store', store, '--server', server, '--concurrency', layersAtOnce, ...platform];
}

async function pullOnNode(node: string, args: string[], options: PullOnAllOptions): Promise<NodeDocument> {
  const { spawn, onTrouble } = options;
  const onEvent = (event: NodeEvent) => options.onEvent(node, event);
  return { node, document: await pullOn({ node, args, spawn, onTrouble, onEvent }) };
}

/** `node-a`, `node-b` … */
function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `node-${String.fromCharCode(97 + index)}`);
}

function registryResult({ embedded }: Upstream): DemoRegistryResult {
  if (!embedded) return { embedded: false, bytesPerSecond: null, reads: null };
  const { registry, image, bytesPerSecond } = embedded;
  const digests = [image.config, ...image.layers].map((blob) => blob.descriptor.digest);
  const reads = Object.fromEntries(digests.map((digest) => [digest, registry.reads(digest)]));
  return { embedded: true, bytesPerSecond, reads };
}
