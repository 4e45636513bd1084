/**
 * Downloads four layers concurrently on two nodes that share one store. The hook (`runLayer`) does the lock, the
 * skip, the wait, the verification and the release; all that is written here is where the bytes come from.
 *
 * To run it: npm install layerpull esbuild, then
 *   npx esbuild concurrent-layers.ts --format=esm --outfile=concurrent-layers.mjs && node concurrent-layers.mjs
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  createMemoryLocks,
  createSlots,
  type Descriptor,
  type LayerOutcome,
  openLockSession,
  openStore,
  parseDigest,
  runLayer,
  systemClock,
  toNodeId,
} from 'layerpull';

interface Layer extends Descriptor {
  readonly bytes: Buffer;
}

const clock = systemClock;
const signal = new AbortController().signal;

function makeLayer(sizeBytes: number): Layer {
  const bytes = randomBytes(sizeBytes);
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: bytes.length, bytes };
}

/** Stands for a registry: anything that gives the bytes from `offset` on will do. */
async function* bytesOf(layer: Layer, offset: number): AsyncIterable<Uint8Array> {
  for (let start = offset; start < layer.size; start += 65_536) {
    yield layer.bytes.subarray(start, start + 65_536);
  }
}

/** One node: its own session, at most two layers at a time. */
async function pullOn(name: string, layers: readonly Layer[], parts: Parts): Promise<LayerOutcome[]> {
  const session = openLockSession({
    locks: parts.locks,
    nodeId: toNodeId(name),
    storeId: parts.store.blobs.storeId,
    clock,
  });
  const slots = createSlots(2);
  try {
    return await Promise.all(
      layers.map((layer) =>
        runLayer(layer, {
          locks: session,
          store: parts.store.blobs,
          slots,
          signal,
          download: ({ offset }) => bytesOf(layer, offset),
        }),
      ),
    );
  } finally {
    await session.close();
  }
}

interface Parts {
  readonly locks: ReturnType<typeof createMemoryLocks>;
  readonly store: Awaited<ReturnType<typeof openStore>>;
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'layerpull-example-'));
const locks = createMemoryLocks({ clock, recoveryMs: 0 });
const store = await openStore({ path: path.join(folder, 'store'), clock });
try {
  const layers = [300_000, 500_000, 700_000, 900_000].map(makeLayer);
  const [nodeA, nodeB] = await Promise.all([
    pullOn('node-a', layers, { locks, store }),
    pullOn('node-b', layers, { locks, store }),
  ]);
  for (const [index, layer] of layers.entries()) {
    console.log(
      `${layer.digest.slice(0, 19)}  node-a ${nodeA?.[index]?.kind}  node-b ${nodeB?.[index]?.kind}`,
    );
  }
} finally {
  await locks.close();
  await rm(folder, { recursive: true, force: true });
}
