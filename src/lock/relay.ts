import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { type SessionId, type Token, toNodeId } from '../core/ids.ts';
import type {
  AcquireReply,
  AcquireRequest,
  Heartbeat,
  Locks,
  OperationType,
  Outcome,
  PlaceView,
  ReleaseReply,
  ReleaseRequest,
  SessionEvent,
  SessionLocks,
  SessionSnapshot,
  SourceReply,
  SourceRequest,
} from './locks.ts';
import type { MachineEvent } from './machine/events.ts';
import { Leg, type LegParts, type LocalGrant, type Loss } from './relay-leg.ts';
import { RelayStreams } from './relay-streams.ts';

type LockNews = Extract<MachineEvent, { kind: 'log' }>;

export interface RelayOptions {
  /** Makes the service that arbitrates among the processes of the store. It tells `observe` of all that happens to locks. */
  readonly local: (observe: (news: LockNews) => void) => Locks;
  /** The one session towards the lock server. Whoever made it closes it, after the relay. */
  readonly upstream: SessionLocks;
  readonly clock: Clock;
  /** Whether the own store has the blob. */
  readonly hasBlob: (digest: Digest) => Promise<boolean>;
  /** Told of each operation of a local session that succeeded. */
  readonly onDone?: (type: OperationType, digest: Digest) => void;
}

/**
 * The locks of the processes on one store that all stand behind one session of a lock server: a local service decides
 * who of them is next, and a grant of it is complete once that session has the lock too. Whoever has to wait for that
 * is told that it waits, as behind anybody else. Clients without a session coordinate locally alone.
 */
export function createRelayLocks(options: RelayOptions): Locks {
  const relay = new Relay(options);
  const { local } = relay;
  return {
    openSession: (...args) => local.openSession(...args),
    closeSession: (...args) => local.closeSession(...args),
    renew: (...args) => relay.renew(...args),
    acquire: (...args) => relay.acquire(...args),
    release: (...args) => relay.release(...args),
    decline: (...args) => local.decline(...args),
    watch: (...args) => relay.watch(...args),
    watchResource: (...args) => local.watchResource(...args),
    sources: (...args) => relay.sources(...args),
    status: (...args) => local.status(...args),
    list: (...args) => local.list(...args),
    nodes: (...args) => local.nodes(...args),
    close: () => relay.close(),
  };
}

/** Between two questions for a source that is not known yet. */
const retryMs = 100;

class Relay {
  readonly local: Locks;
  readonly #options: RelayOptions;
  readonly #legs = new Map<Token, Leg>();
  readonly #streams = new RelayStreams();
  readonly #legParts: LegParts;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { upstream, clock, hasBlob } = options;
    this.#legParts = {
      ...{ upstream, clock, hasBlob },
      onReady: (leg) => void this.#tellGranted(leg),
      onMove: ({ grant }, source) => this.#tell(grant, { kind: 'source', token: grant.token, source }),
      onLost: (leg, loss) => void this.#lose(leg, loss),
    };
    this.local = options.local((news) => this.#onNews(news));
  }

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply> {
    const { sessionId, type, resourceId, force = false } = request;
    for (;;) {
      const reply = await this.local.acquire(request, signal);
      if (reply.kind !== 'granted' || sessionId === undefined) return reply;
      const { token } = reply;
      const leg = this.#legs.get(token) ?? this.#begin({ type, resourceId, sessionId, token }, { force });
      const state = await leg.answer(signal);
      if (state.kind === 'ready') return { ...reply, source: leg.source };
      if (state.kind === 'pending') return { ...state, kind: 'queued' };
      if (state.kind === 'lost' && state.loss.kind === 'refused') return state.loss;
    }
  }

  async release(request: ReleaseRequest, signal?: AbortSignal): Promise<ReleaseReply> {
    const leg = this.#legOf(request);
    if (leg) leg.outcome = request.outcome;
    return await this.local.release(request, signal);
  }

  async renew(sessionId: SessionId, heartbeat: Heartbeat, signal?: AbortSignal): Promise<SessionSnapshot> {
    const snapshot = await this.local.renew(sessionId, heartbeat, signal);
    const tokens = new Set(snapshot.granted.map(({ token }) => token));
    for (const held of heartbeat.held) {
      if (!tokens.has(held.token)) continue;
      const { type, resourceId, token, offset, total } = held;
      const leg = this.#legs.get(token) ?? this.#assert({ type, resourceId, sessionId, token });
      leg.progress(offset, total);
    }
    return this.#withHidden(snapshot);
  }

  watch(sessionId: SessionId, signal: AbortSignal): AsyncIterable<SessionEvent> {
    const open = (ended: AbortSignal) => this.local.watch(sessionId, ended);
    return this.#streams.merge(sessionId, open, signal, (event) =>
      event.kind === 'snapshot' ? { ...event, ...this.#withHidden(event) } : event,
    );
  }

  async sources(request: SourceRequest, signal?: AbortSignal): Promise<SourceReply> {
    signal?.throwIfAborted();
    const leg = this.#legs.get(request.token);
    const { sessionId, resourceId, offset, bad, restarts } = request;
    if (leg?.grant.sessionId !== sessionId || leg.grant.resourceId !== resourceId)
      return { kind: 'not-holder', message: 'the agent gave this lock to somebody else' };
    const report = { offset, ...(bad ? { bad } : {}), ...(restarts ? { restarts } : {}) };
    const source = await leg.nextSource(report, signal ?? never);
    return source ? { kind: 'source', source } : { kind: 'wait', retryMs };
  }

  async close(): Promise<void> {
    await this.local.close();
    await Promise.all([...this.#legs.values()].map((leg) => leg.end()));
    this.#legs.clear();
  }

  #begin(grant: LocalGrant, { force }: { readonly force: boolean }): Leg {
    const leg = new Leg(grant, this.#legParts, { isAsserted: false });
    this.#legs.set(grant.token, leg);
    leg.start(force);
    return leg;
  }

  /** A lock from before this process coordinated: its holder goes on while the lock server is asked. */
  #assert(grant: LocalGrant): Leg {
    const leg = new Leg(grant, this.#legParts, { isAsserted: true });
    this.#legs.set(grant.token, leg);
    leg.start(false);
    return leg;
  }

  #legOf({ sessionId, type, resourceId, token }: ReleaseRequest): Leg | undefined {
    if (token !== undefined) return this.#legs.get(token);
    return [...this.#legs.values()].find(
      ({ grant }) => grant.sessionId === sessionId && grant.type === type && grant.resourceId === resourceId,
    );
  }

  /** However a local grant ends, what the lock server gave for it goes back. */
  #onNews({ what, token, type, resourceId, success = false }: LockNews): void {
    if (what === 'released' && success) this.#options.onDone?.(type, resourceId);
    if (what !== 'released' && what !== 'declined' && what !== 'reclaimed') return;
    const leg = token === undefined ? undefined : this.#legs.get(token);
    if (!leg) return;
    this.#legs.delete(leg.grant.token);
    if (what === 'declined') leg.outcome = 'declined';
    void leg.end();
  }

  async #lose({ grant }: Leg, loss: Loss): Promise<void> {
    const { type, resourceId, sessionId, token } = grant;
    const { message } = loss;
    const isContent = loss.kind === 'refused' && loss.reason === 'content';
    const outcome: Outcome = { success: false, error: message, class: isContent ? 'content' : 'node' };
    // The session is what counts, and the service knows its node.
    const release = { type, resourceId, sessionId, nodeId: toNodeId(sessionId), token, outcome };
    await this.release(release).catch(() => {});
    if (loss.kind === 'revoked') this.#tell(grant, { kind: 'revoked', token, reason: message });
    else this.#tell(grant, { kind: 'failed', error: message });
  }

  async #tellGranted({ grant }: Leg): Promise<void> {
    const { token, resourceId, sessionId } = grant;
    const views = await this.local.list({ prefix: resourceId }).catch(() => []);
    const own = views.find(({ holder }) => holder?.sessionId === sessionId && holder.token === token);
    if (own) this.#tell(grant, { kind: 'granted', token, waiters: own.queue.length });
  }

  #tell({ sessionId, type, resourceId }: LocalGrant, event: GrantEvent): void {
    this.#streams.tell(sessionId, { ...event, type, resourceId });
  }

  /** What is not complete yet looks like a place behind whoever has it. */
  #withHidden({ granted, queued, ...rest }: SessionSnapshot): SessionSnapshot {
    const hidden = granted.flatMap(({ token }) => {
      const leg = this.#legs.get(token);
      return leg?.isHidden ? [leg] : [];
    });
    if (hidden.length === 0) return { granted, queued, ...rest };
    const tokens = new Set(hidden.map(({ grant }) => grant.token));
    return {
      ...rest,
      granted: granted.filter(({ token }) => !tokens.has(token)),
      queued: [...queued, ...hidden.map(placeOf)],
    };
  }
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type GrantEvent = Without<
  Extract<SessionEvent, { kind: 'granted' | 'failed' | 'revoked' | 'source' }>,
  'type' | 'resourceId'
>;

const never = new AbortController().signal;

function placeOf({ grant: { type, resourceId }, state }: Leg): PlaceView {
  const { position, holder } = state.kind === 'pending' ? state : { position: 1, holder: undefined };
  return { type, resourceId, position, ...(holder ? { holder } : {}) };
}
