import type { SessionId } from '../core/ids.ts';
import type { OpenSession } from './locks.ts';
import type { NodeView } from './nodes.ts';

/** How long a node that went is still listed, in milliseconds: long enough to be missed. */
const offlineMs = 3_600_000;
/** Nodes that went, at most; the longest gone are forgotten first. */
const maxOffline = 10_000;

interface Entry {
  readonly sessionId: SessionId;
  readonly opened: OpenSession;
  isDraining: boolean;
  seenMs: number;
}

/** Who is there and who was: bookkeeping for people, of which no lock depends. Times as the caller counts them. */
export class NodeRegistry {
  readonly #online = new Map<SessionId, Entry>();
  /** By node and store: one that comes back is not gone any more. In the order in which they went. */
  readonly #offline = new Map<string, Entry>();

  opened(sessionId: SessionId, opened: OpenSession, nowMs: number): void {
    this.#offline.delete(keyOf(opened));
    this.#online.set(sessionId, { sessionId, opened, isDraining: false, seenMs: nowMs });
  }

  /** A heartbeat; `isDraining` stays as it was where it says nothing of it. */
  heard(sessionId: SessionId, isDraining: boolean | undefined, nowMs: number): void {
    const entry = this.#online.get(sessionId);
    if (!entry) return;
    entry.seenMs = nowMs;
    entry.isDraining = isDraining ?? entry.isDraining;
  }

  ended(sessionId: SessionId): void {
    const entry = this.#online.get(sessionId);
    if (!entry) return;
    this.#online.delete(sessionId);
    this.#offline.delete(keyOf(entry.opened));
    this.#offline.set(keyOf(entry.opened), entry);
    const [oldest] = this.#offline.keys();
    if (this.#offline.size > maxOffline && oldest !== undefined) this.#offline.delete(oldest);
  }

  /** Those that are there, then those that went, the last of these first. */
  list(nowMs: number): NodeView[] {
    const online = [...this.#online.values()];
    const present = new Set(online.map(({ opened }) => keyOf(opened)));
    const gone = [...this.#offline].filter(([key, { seenMs }]) => {
      if (nowMs - seenMs >= offlineMs) this.#offline.delete(key);
      return nowMs - seenMs < offlineMs && !present.has(key);
    });
    return [
      ...online.map((entry) => viewOf(entry, entry.isDraining ? 'draining' : 'online', nowMs)),
      ...gone.reverse().map(([, entry]) => viewOf(entry, 'offline', nowMs)),
    ];
  }
}

function keyOf({ nodeId, storeId }: OpenSession): string {
  return `${nodeId}\n${storeId ?? ''}`;
}

function viewOf({ sessionId, opened, seenMs }: Entry, state: NodeView['state'], nowMs: number): NodeView {
  const { sessionId: _, ...said } = opened;
  return { ...said, sessionId, state, lastSeenMs: nowMs - seenMs };
}
