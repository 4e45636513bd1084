import type { PullConfig } from '../config/pull.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { openLockSession } from '../lock/session.ts';
import type { PullEvent, PullResult } from '../orchestrator/events.ts';
import { pullImage } from '../orchestrator/pull.ts';
import { formatReference, parseReference } from '../registry/reference.ts';
import { createTransferBounds } from '../source/transfer.ts';
import { openStore } from '../store/oci-layout.ts';
import { Closers } from './closers.ts';
import { coordination } from './locks.ts';
import type { composeOutput } from './output.ts';
import { composeRegistry } from './registry.ts';
import { resolveOptions } from './resolve.ts';
import { withTimeLimit } from './time-limit.ts';

export type { PullEvent, PullResult } from '../orchestrator/events.ts';

const clock = systemClock;

export interface Pull {
  /** @throws LayerpullError; `signal.reason` when aborted, after the locks were released. */
  run(reference: string, signal: AbortSignal): Promise<PullResult>;
  /** Ends connections and background work. Idempotent. */
  close(): Promise<void>;
}

export interface PullDeps {
  readonly log: Log;
  readonly onEvent: (event: PullEvent) => void;
}

/** Loaded only by those who ask for it. */
async function openOutput(...args: Parameters<typeof composeOutput>) {
  const output = await import('./output.ts');
  return await output.composeOutput(...args);
}

/** Wires a pull: registry, store, and the locks of a server or of the processes on the store. */
export async function composePull(config: PullConfig, { log, onEvent }: PullDeps): Promise<Pull> {
  const { node, concurrency, onLockFailure, bounds } = config;
  const { transfer: limits } = config.registry;
  const closers = new Closers();
  const work = async (text: string, signal: AbortSignal) => {
    const reference = parseReference(text);
    const name = formatReference(reference);
    const startedMs = clock.now();
    const registry = closers.add(composeRegistry(config.registry, log, reference.registry));
    // First of all: what cannot be pulled leaves no empty store behind.
    const image = await registry.resolve(reference, await resolveOptions(config), signal);
    const store = await openStore({ path: config.store, clock, log });
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
    const transfer = createTransferBounds(clock, limits);
    const parts = { registry, store, locks, clock, node, concurrency, transfer, onEvent, output };
    return await pullImage({ name, image, startedMs }, parts, signal);
  };
  const run = (text: string, signal: AbortSignal) =>
    withTimeLimit(clock, limits.timeoutMs, signal, (limited) => work(text, limited));
  return { run, close: () => closers.close() };
}
