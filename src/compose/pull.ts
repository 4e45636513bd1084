import type { PullConfig } from '../config/pull.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { PullEvent, PullResult } from '../orchestrator/events.ts';
import { pullPresent } from '../orchestrator/present.ts';
import { formatReference, parseReference } from '../registry/reference.ts';
import { readStore } from '../store/reader.ts';
import { Closers } from './closers.ts';
import { composeRegistry } from './registry.ts';
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

/** Wires a pull: the registry first, and what changes the store only where something is missing there. */
export async function composePull(config: PullConfig, { log, onEvent }: PullDeps): Promise<Pull> {
  const { node, platform, plan } = config;
  const closers = new Closers();
  const work = async (text: string, signal: AbortSignal) => {
    const reference = parseReference(text);
    const startedMs = clock.now();
    const registry = closers.add(composeRegistry(config.registry, log, reference.registry));
    const stored = await readStore(config.store, log);
    // First of all: what cannot be pulled leaves no empty store behind.
    const options = { platform, allPlatforms: plan.allPlatforms, ...(stored ? { stored } : {}) };
    const image = await registry.resolve(reference, options, signal);
    const request = { name: formatReference(reference), image, startedMs };
    const lookOnly = stored && !config.output;
    const present = lookOnly && (await pullPresent(request, { store: stored, node, clock, onEvent }));
    if (present) return present;
    const { fetchImage } = await import('./fetch.ts');
    return await fetchImage(request, config, { registry, closers, log, onEvent }, signal);
  };
  const { timeoutMs } = config.registry.transfer;
  const run = (text: string, signal: AbortSignal) =>
    withTimeLimit(clock, timeoutMs, signal, (limited) => work(text, limited));
  return { run, close: () => closers.close() };
}
