import { setMaxListeners } from 'node:events';
import { systemClock } from '../../src/core/clock.ts';
import type { Digest } from '../../src/core/digest.ts';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import type { Hold, LayerReply, Outcome } from '../../src/lock/locks.ts';
import { type LockSession, openLockSession } from '../../src/lock/session.ts';
import type { Random } from './history/choices.ts';
import { Holders } from './holders.ts';

export interface PullingCrowdOptions {
  readonly servers: readonly URL[];
  readonly random: Random;
  readonly stores: number;
  readonly nodesPerStore: number;
  readonly layers: readonly Digest[];
  /** Grants of one layer in one store that may fail before all others succeed. */
  readonly failures: number;
}

/** All nodes share one process, and come to it at once. */
const bounds = { firstContactMs: 30_000, outOfReachMs: 30_000 };

/** How a node ended with one layer. */
export type Ending = 'done' | 'skip' | 'killed';

/** Nodes that pull the same layers, of which many fail while they hold one; by node and layer how each ended. */
export class PullingCrowd {
  readonly holders = new Holders();
  readonly endings: Ending[] = [];
  readonly warnings: string[] = [];
  readonly #options: PullingCrowdOptions;
  readonly #failures = new Map<string, number>();

  constructor(options: PullingCrowdOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { stores, nodesPerStore } = this.#options;
    setMaxListeners(Number.POSITIVE_INFINITY, signal);
    const nodes = Array.from({ length: stores * nodesPerStore }, (_, index) => index);
    await Promise.all(nodes.map((node) => this.#pull(`node-${node}`, `store-${node % stores}`, signal)));
  }

  async #pull(node: string, store: string, signal: AbortSignal): Promise<void> {
    const { servers, layers, random } = this.#options;
    const locks = createHttpLocks({ servers, version: '0.0.0', clock: systemClock });
    const ids = { nodeId: toNodeId(node), storeId: toStoreId(store) };
    const onWarning = ({ message }: Error) => void this.warnings.push(`${node}: ${message}`);
    const session = openLockSession({ locks, clock: systemClock, onWarning, bounds, ...ids });
    try {
      for (const layer of layers.toSorted(() => random() - 0.5)) {
        const ending = await this.#pullLayer(session, store, layer, signal);
        this.endings.push(ending);
        if (ending !== 'killed') continue;
        // Nothing of it gets through any more, not even a goodbye.
        await locks.close();
        return;
      }
    } finally {
      await session.close();
      await locks.close();
    }
  }

  async #pullLayer(session: LockSession, store: string, layer: Digest, signal: AbortSignal): Promise<Ending> {
    for (;;) {
      const reply = await session.acquire({ type: 'pull', resourceId: layer, total: 100 }, signal);
      if (reply.kind === 'skip') return 'skip';
      const hold = await holdIn(reply, signal);
      if (!hold) continue;
      const ending = await this.#work(session.sessionId, hold, store);
      if (ending) return ending;
    }
  }

  /** Undefined: it failed, and tries again. */
  async #work(who: string, hold: Hold, store: string): Promise<Ending | undefined> {
    const { random } = this.#options;
    const end = this.holders.begin(who, `${store} ${hold.resourceId}`, hold);
    await systemClock.sleep(5 + random() * 30);
    const fate = this.#fate(`${store} ${hold.resourceId}`);
    end(fate === 'done');
    if (fate !== 'killed') await hold.release(outcomes[fate]);
    if (fate === 'done' || fate === 'killed') return fate;
    return undefined;
  }

  /** The first ones fail, each in another way; the content once, for twice is taken for its own fault. */
  #fate(what: string): 'done' | 'killed' | 'node' | 'content' {
    const { failures, random } = this.#options;
    const failed = this.#failures.get(what) ?? 0;
    if (failed >= failures) return 'done';
    this.#failures.set(what, failed + 1);
    if (failed === 0) return 'content';
    return random() < 0.4 ? 'killed' : 'node';
  }
}

const outcomes: Record<'done' | 'node' | 'content', Outcome> = {
  done: { success: true },
  node: { success: false, error: 'disk full', class: 'node' },
  content: { success: false, error: 'wrong digest', class: 'content' },
};

/** The hold that a reply leads to; undefined: ask again. @throws Error for a refusal */
async function holdIn(reply: LayerReply, signal: AbortSignal): Promise<Hold | undefined> {
  if (reply.kind === 'granted') return reply.hold;
  if (reply.kind !== 'queued') throw new Error(`unexpected: ${reply.kind}`);
  for (;;) {
    const change = await reply.place.next(signal);
    if (change.kind === 'left') throw new Error('it was left to go on without a lock');
    if (change.kind !== 'moved') return undefined;
  }
}
