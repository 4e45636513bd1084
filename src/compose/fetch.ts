import { availableParallelism } from 'node:os';
import type { PullConfig } from '../config/pull.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { openLockSession } from '../lock/session.ts';
import type { PullEvent, PullResult } from '../orchestrator/events.ts';
import { planPull } from '../orchestrator/plan.ts';
import { pullImage } from '../orchestrator/pull.ts';
import type { PullRequest } from '../orchestrator/summary.ts';
import type { ImageRegistry } from '../registry/image-registry.ts';
import { createTransferBounds } from '../source/transfer.ts';
import { openStore } from '../store/oci-layout.ts';
import type { Closers } from './closers.ts';
import { coordination } from './locks.ts';
import type { composeOutput } from './output.ts';

const clock = systemClock;

export interface FetchDeps {
  readonly registry: ImageRegistry;
  /** Gets what is opened here. */
  readonly closers: Closers;
  readonly log: Log;
  readonly onEvent: (event: PullEvent) => void;
}

/** In the bundle, where this code lies in a folder beside that of the store. */
const sinkWorker = new URL('../store/sink-worker.js', import.meta.url);
/** For less, starting a thread takes longer than it saves: 60 ms on two cores that are busy anyway. */
const worthAThreadBytes = 256 * 1_048_576;

function isWorthAThread({ image }: PullRequest): boolean {
  return availableParallelism() > 1 && planPull(image).totalBytes >= worthAThreadBytes;
}

/** Loaded only for what is worth it. */
async function openThread() {
  const { createThreadSinks } = await import('../store/sink-thread.ts');
  return createThreadSinks(sinkWorker);
}

/** Loaded only by those who ask for it. */
async function openOutput(...args: Parameters<typeof composeOutput>) {
  const output = await import('./output.ts');
  return await output.composeOutput(...args);
}

/** Wires the part of a pull that changes the store: the store, and the locks of a server or of the processes on it. */
export async function fetchImage(
  request: PullRequest,
  config: PullConfig,
  { registry, closers, log, onEvent }: FetchDeps,
  signal: AbortSignal,
): Promise<PullResult> {
  const { node, concurrency, onLockFailure, bounds } = config;
  const { reference } = request.image;
  const openSink = isWorthAThread(request) ? await openThread() : undefined;
  const store = await openStore({ path: config.store, clock, log, openSink });
  const output = config.output && (await openOutput(config.output, { ...store, reference, clock }));
  const service = closers.add(coordination(config, store.blobs.path, log));
  const locks = closers.add(
    openLockSession({
      locks: service,
      nodeId: node,
      storeId: store.blobs.storeId,
      clock,
      log,
      onLockFailure,
      bounds,
      onWarning: ({ code, message, hint }) => {
        // A pull that may not go on alone ends with this very error.
        if (onLockFailure === 'fail') return;
        const what = code === 'holder_slow' ? 'downloading it too' : 'going on without coordination';
        onEvent({ kind: 'warning', code, message: `${message}; ${what}`, hint });
      },
    }),
  );
  const transfer = createTransferBounds(clock, config.registry.transfer);
  const parts = { registry, store, locks, clock, node, concurrency, transfer, onEvent, output };
  return await pullImage(request, parts, signal);
}
