import type { PullConfig } from '../config/pull.ts';
import { systemClock } from '../core/clock.ts';
import type { LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { hasAgent } from '../lock/embedded-agent.ts';
import type { DocumentSharing } from '../orchestrator/documents.ts';
import type { PullEvent, PullResult } from '../orchestrator/events.ts';
import { pullPresent } from '../orchestrator/present.ts';
import type { ResolveOptions } from '../registry/image-registry.ts';
import { formatReference, parseReference } from '../registry/reference.ts';
import { readStore } from '../store/reader.ts';
import { Closers } from './closers.ts';
import type { Fetcher } from './fetch.ts';
import type { LoadPeerParts, PeerParts } from './peer-parts.ts';
import { composeRegistry } from './registry.ts';
import { withTimeLimit } from './time-limit.ts';

export type { PullEvent, PullResult } from '../orchestrator/events.ts';

const clock = systemClock;

export interface Pull {
  /** @throws LayerpullError; `signal.reason` when aborted, after the locks were released. */
  run(reference: string, signal: AbortSignal): Promise<PullResult>;
  /**
   * After a pull that succeeded: stays for other nodes that read from this one, within the bounds of the config. Calls
   * `onStay` if there are some. Never throws; ends with the signal.
   */
  linger(signal: AbortSignal, onStay: () => void): Promise<void>;
  /** Ends connections and background work. Idempotent. */
  close(): Promise<void>;
}

export interface PullDeps {
  readonly log: Log;
  readonly onEvent: (event: PullEvent) => void;
  /** Other nodes. Default: the pull reads from none and serves none. */
  readonly loadPeers?: LoadPeerParts | undefined;
}

/** Wires a pull: the registry first, and what changes the store only where something is missing there. */
export async function composePull(config: PullConfig, deps: PullDeps): Promise<Pull> {
  const { log, onEvent } = deps;
  const { node, platform, plan } = config;
  const closers = new Closers();
  let fetching: Promise<Fetcher> | undefined;
  const work = async (text: string, signal: AbortSignal) => {
    const reference = parseReference(text);
    const startedMs = clock.now();
    const registry = closers.add(composeRegistry(config.registry, log, reference.registry));
    const stored = await readStore(config.store, log);
    const peers = once(() => loadPeers(config, deps, closers));
    // A new node will need it, and can load it while the registry answers. Whoever uses it meets what failed.
    if (!stored && config.servers.length > 0) peers().catch(() => {});
    const open = async () => {
      const { openFetcher } = await import('./fetch.ts');
      return await openFetcher(config, { registry, closers, log, onEvent, peers });
    };
    const fetcher = once(() => {
      fetching = open();
      return fetching;
    });
    // First of all: what cannot be pulled leaves no empty store behind.
    const sharing = await shareBetweenNodes(config, fetcher);
    const options: ResolveOptions = {
      platform,
      allPlatforms: plan.allPlatforms,
      ...(stored ? { stored } : {}),
      ...(sharing ? { shared: sharing } : {}),
    };
    const image = await registry
      .resolve(reference, options, signal)
      .finally(async () => await sharing?.close());
    const request = { name: formatReference(reference), image, startedMs };
    const lookOnly = stored && !config.output;
    const present = lookOnly && (await pullPresent(request, { store: stored, node, clock, onEvent }));
    if (present) return present;
    return await (await fetcher()).fetch(request, signal);
  };
  const { timeoutMs } = config.registry.transfer;
  const run = (text: string, signal: AbortSignal) =>
    withTimeLimit(clock, timeoutMs, signal, (limited) => work(text, limited));
  return {
    run,
    linger: async (signal, onStay) => await (await fetching)?.linger(signal, onStay),
    close: () => closers.close(),
  };
}

/** Manifests are shared where a lock server knows many nodes; processes on one store have them at hand. */
async function shareBetweenNodes(
  config: PullConfig,
  open: () => Promise<Fetcher>,
): Promise<DocumentSharing | undefined> {
  if (config.servers.length === 0 && !(await hasAgent(config.store))) return undefined;
  const { shareDocuments } = await import('../orchestrator/documents.ts');
  return shareDocuments(async () => (await open()).documents);
}

async function loadPeers(
  config: PullConfig,
  { log, onEvent, loadPeers: load }: PullDeps,
  closers: Closers,
): Promise<PeerParts | undefined> {
  if (!load) return undefined;
  const onWarning = ({ code, message, hint }: LayerpullError) =>
    onEvent({ kind: 'warning', code, message, hint });
  const parts = await load({ config, clock, log, onWarning });
  return closers.add(parts);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
