import { pushImage } from '../../../test/support/images.ts';
import { startLockServer } from '../../../test/support/lock-servers.ts';
import type { RealRegistry } from '../../../test/support/real-registry.ts';
import { measure } from '../measure.ts';
import {
  type BenchNode,
  type BenchNodeOptions,
  type StoreName,
  startBenchNode,
  storeNames,
} from './nodes.ts';
import type { ContainerdOptions, JobName } from './options.ts';

/** One job of one store. */
export interface Sample {
  readonly wallMs: number;
  /** Processor time of containerd and its plugin. */
  readonly cpuMs: number;
  /** Of the plugin, up to the end of the job. */
  readonly peakBytes: number | undefined;
}

export type Samples = Readonly<Record<JobName, Readonly<Record<StoreName, readonly Sample[]>>>>;

/** How often a blob is read in each run: that is short. */
const readsPerRun = 5;

interface Images {
  readonly reference: string;
  /** Has the blob as its layer. */
  readonly blobReference: string;
  readonly blobDigest: string;
}

/** Alternates: who goes first changes, so that a warm file cache favours nobody. */
export async function runRounds(registry: RealRegistry, options: ContainerdOptions): Promise<Samples> {
  const images = await pushImages(registry, options);
  const serverUrl = options.server ? (await startLockServer({ ttlMs: 15_000 })).url : undefined;
  const nodes: BenchNodeOptions = { serverUrl, profileDir: options.profileDir };
  const samples = { fetch: bothEmpty(), get: bothEmpty(), pull: bothEmpty() };
  for (let run = 0; run < options.runs; run += 1) {
    process.stderr.write(`run ${run + 1} of ${options.runs}\n`);
    for (const store of run % 2 === 0 ? storeNames.toReversed() : storeNames) {
      const add = (job: JobName, sample: Sample) => void samples[job][store].push(sample);
      if (options.only.some((job) => job !== 'pull'))
        await onNewNode(store, nodes, (node) => fetchAndGet(node, images, options, add));
      if (options.only.includes('pull'))
        await onNewNode(store, nodes, async (node) => add('pull', await pull(node, images, options)));
    }
  }
  return samples;
}

function bothEmpty(): Record<StoreName, Sample[]> {
  return { own: [], plugin: [] };
}

async function pushImages(registry: RealRegistry, options: ContainerdOptions): Promise<Images> {
  const { imageBytes, layers, blobBytes } = options;
  const image = { layers: Array<number>(layers).fill(Math.floor(imageBytes / layers)) };
  const { reference } = await pushImage(registry, 'bench/image', image);
  const blob = await pushImage(registry, 'bench/blob', { layers: [blobBytes] });
  const [layer] = blob.layers;
  if (!layer) throw new Error('the image of the blob has no layer');
  return { reference, blobReference: blob.reference, blobDigest: layer.digest };
}

async function onNewNode(
  store: StoreName,
  options: BenchNodeOptions,
  work: (node: BenchNode) => Promise<void>,
): Promise<void> {
  const node = await startBenchNode(store, options);
  try {
    await work(node);
  } finally {
    await node.remove();
  }
}

async function fetchAndGet(
  node: BenchNode,
  { reference, blobReference, blobDigest }: Images,
  { only }: ContainerdOptions,
  add: (job: JobName, sample: Sample) => void,
): Promise<void> {
  if (only.includes('fetch')) add('fetch', await sample(node, ...fetching(reference)));
  if (!only.includes('get')) return;
  await sample(node, ...fetching(blobReference));
  for (let read = 0; read < readsPerRun; read += 1)
    add('get', await sample(node, 'content', 'get', blobDigest));
}

async function pull(
  node: BenchNode,
  { reference }: Images,
  { snapshotter }: ContainerdOptions,
): Promise<Sample> {
  return await sample(node, 'images', 'pull', '--plain-http', '--snapshotter', snapshotter, reference);
}

function fetching(reference: string): string[] {
  return ['content', 'fetch', '--plain-http', reference];
}

async function sample(node: BenchNode, ...args: readonly string[]): Promise<Sample> {
  const before = node.cpuMs();
  const { wallMs } = await measure(node.ctr(...args));
  return { wallMs, cpuMs: node.cpuMs() - before, peakBytes: node.peakBytes() };
}
