import { randomBytes } from 'node:crypto';
import { abortable, deferred } from '../../../core/abort.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Digest } from '../../../core/digest.ts';
import { type NodeId, type SessionId, toSessionId } from '../../../core/ids.ts';
import type { Log } from '../../../core/log.ts';
import type { ClusterFigures } from '../../cluster-figures.ts';
import type {
  AcquireReply,
  AcquireRequest,
  DeclineRequest,
  Heartbeat,
  ListQuery,
  Locks,
  OpenSession,
  OperationType,
  ReleaseRequest,
  ResourceEvent,
  ResourceRequest,
  SessionEvent,
  SourceReply,
  SourceRequest,
} from '../../locks.ts';
import type { Command, CommandOf, Replies } from '../../machine/commands.ts';
import type { MachineState } from '../../machine/state.ts';
import { step } from '../../machine/step.ts';
import { NodeRegistry } from '../../node-registry.ts';
import { countLocks, currentNews, type LockCounts, listResources } from '../../read-model.ts';
import { createChannel } from './channel.ts';
import type { Journal } from './journal.ts';
import { closed, full, known } from './refusals.ts';
import { createTeller, type Observe, type Teller } from './teller.ts';
import { Watchers } from './watchers.ts';

/** The `Locks` of one process with its machine, for whoever runs it. */
export interface LockService extends Locks {
  /** Sessions that are open. */
  sessionCount(): number;
  /** How things stand in numbers. */
  counts(): LockCounts;
  /** A client without a session closed the last connection of its node: a grace begins. */
  nodeGone(nodeId: NodeId): void;
  /** Why nobody can be served now, on one line; absent or undefined: everybody can. */
  trouble?(): string | undefined;
  /** Of one of several servers; absent: there is one. */
  clusterFigures?(): ClusterFigures;
}

export type { Observe } from './teller.ts';

export interface EngineOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Belongs to the engine from here on. */
  readonly state: MachineState;
  readonly journal: Journal;
  /** Hears of everything that happens to locks. */
  readonly observe?: Observe;
}

/** How often time is looked at, in milliseconds: fine enough for bounds of seconds. */
const tickMs = 250;
/** Changes of position are told at most this often, in milliseconds. */
export const movesMs = 1_000;
/** A sign of life on the streams of sessions comes this often, in milliseconds. */
export const pingMs = 5_000;

/** Runs the machine: gives it time, hands its changes to the journal, and tells its events to those who listen. */
export function createEngine(options: EngineOptions): LockService {
  return new Engine(options);
}

class Engine implements LockService {
  readonly #clock: Clock;
  readonly #state: MachineState;
  readonly #journal: Journal;
  readonly #watchers = new Watchers();
  readonly #nodes = new NodeRegistry();
  readonly #teller: Teller;
  readonly #timers: readonly (() => void)[];
  readonly #recovery = deferred<void>();

  constructor({ clock, log, state, journal, observe }: EngineOptions) {
    this.#clock = clock;
    this.#state = state;
    this.#journal = journal;
    this.#teller = createTeller({
      ...{ clock, log, state, watchers: this.#watchers, nodes: this.#nodes },
      ...(observe ? { observe } : {}),
    });
    for (const { id, opened, heartbeatMs } of state.sessions.values())
      this.#nodes.opened(id, opened, heartbeatMs);
    this.#timers = [
      clock.every(tickMs, () => this.#tick()),
      clock.every(movesMs, () => this.#teller.tellMoves()),
      clock.every(pingMs, () => this.#watchers.tellAllSessions({ kind: 'ping' })),
    ];
  }

  sessionCount(): number {
    return this.#state.sessions.size;
  }

  counts(): LockCounts {
    return countLocks(this.#state);
  }

  nodeGone(nodeId: NodeId): void {
    this.#step({ kind: 'node-gone', nodeId });
  }

  async openSession(request: OpenSession, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const isReturning = request.sessionId !== undefined;
    const sessionId = request.sessionId ?? toSessionId(randomBytes(16).toString('hex'));
    this.#refuseWhereFull(sessionId);
    const info = this.#step({ kind: 'open-session', request: { ...request, sessionId }, isReturning });
    this.#nodes.opened(sessionId, request, this.#clock.now());
    return await this.#kept(info);
  }

  async closeSession(sessionId: SessionId, signal?: AbortSignal) {
    signal?.throwIfAborted();
    await this.#kept(this.#step({ kind: 'close-session', sessionId }));
  }

  async renew(sessionId: SessionId, heartbeat: Heartbeat, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const { snapshot } = known(this.#step({ kind: 'renew', sessionId, heartbeat }));
    this.#nodes.heard(sessionId, heartbeat.draining, this.#clock.now());
    return await this.#kept(snapshot);
  }

  async sources(request: SourceRequest, signal?: AbortSignal): Promise<SourceReply> {
    signal?.throwIfAborted();
    return await this.#kept(known(this.#step({ kind: 'sources', request })));
  }

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply> {
    for (;;) {
      signal?.throwIfAborted();
      const reply = known(this.#step({ kind: 'acquire', request }));
      if (reply.kind !== 'recovering') return await this.#kept(reply);
      // All wait for the same moment, so they go on in the order in which they came.
      await (signal ? abortable(this.#recovery.promise, signal) : this.#recovery.promise);
    }
  }

  async release(request: ReleaseRequest, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return await this.#kept(known(this.#step({ kind: 'release', request })));
  }

  async decline(request: DeclineRequest, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return await this.#kept(known(this.#step({ kind: 'decline', request })));
  }

  async status(request: ResourceRequest, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const { status } = known(this.#step({ kind: 'status', request }));
    // Only who is told that it holds the lock must be able to rely on it; all others read what is in memory.
    return status.acquired ? await this.#kept(status) : status;
  }

  async list(query: ListQuery, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return listResources(this.#state, query, this.#clock.now());
  }

  async nodes(signal?: AbortSignal) {
    signal?.throwIfAborted();
    return this.#nodes.list(this.#clock.now());
  }

  async *watch(sessionId: SessionId, signal: AbortSignal): AsyncGenerator<SessionEvent, void, undefined> {
    if (signal.aborted) return;
    const { snapshot } = known(this.#step({ kind: 'stream-opened', sessionId }));
    const channel = createChannel<SessionEvent>();
    signal.addEventListener('abort', channel.stop, { once: true });
    this.#inOrder(() => this.#watchers.addSession(sessionId, channel));
    try {
      yield await this.#kept({ kind: 'snapshot' as const, ...snapshot });
      for (let batch = await channel.next(); batch; batch = await channel.next()) yield* batch;
    } finally {
      signal.removeEventListener('abort', channel.stop);
      this.#watchers.removeSession(sessionId, channel);
      // A session that ended took its streams with it; the one that has its id since has others.
      if (!channel.wasEnded()) this.#step({ kind: 'stream-closed', sessionId });
    }
  }

  async *watchResource(
    type: OperationType,
    resourceId: Digest,
    signal: AbortSignal,
  ): AsyncGenerator<ResourceEvent, void, undefined> {
    if (signal.aborted) return;
    this.#step({ kind: 'listener-opened', resourceId });
    const news = currentNews(this.#state, type, resourceId, this.#clock.now());
    const channel = createChannel<ResourceEvent>();
    signal.addEventListener('abort', channel.stop, { once: true });
    this.#inOrder(() => this.#watchers.addResource(type, resourceId, channel));
    try {
      for (const one of await this.#kept(news)) yield this.#teller.withWallTime(one);
      for (let batch = await channel.next(); batch; batch = await channel.next()) yield* batch;
    } finally {
      signal.removeEventListener('abort', channel.stop);
      this.#watchers.removeResource(type, resourceId, channel);
      this.#step({ kind: 'listener-closed', resourceId });
    }
  }

  async close(): Promise<void> {
    for (const stop of this.#timers) stop();
    this.#watchers.endAll();
    // Without its timer no recovery ends any more.
    this.#recovery.promise.catch(() => {});
    this.#recovery.reject(closed());
    await this.#journal.close();
  }

  /** A limit of the service and no answer of its rules: who comes later may find room. */
  #refuseWhereFull(sessionId: SessionId): void {
    const { sessions, options } = this.#state;
    if (sessions.size < options.maxSessions || sessions.has(sessionId)) return;
    throw full(options.maxSessions);
  }

  #tick(): void {
    this.#step({ kind: 'tick' });
    if (!this.#state.isRecovering) this.#recovery.resolve();
  }

  #step<Kind extends Command['kind']>(command: CommandOf<Kind>): Replies[Kind] {
    const { reply, events, changes } = step<Kind>(this.#state, command, this.#clock.now());
    this.#journal.add(changes, () => {
      for (const event of events) this.#teller.tell(event);
    });
    return reply;
  }

  /** The same answer, once nothing that it rests on can be lost any more. */
  async #kept<T>(answer: T): Promise<T> {
    await this.#journal.kept();
    return answer;
  }

  /** Runs after all that was told until now, and before all that is told from now on. */
  #inOrder(action: () => void): void {
    this.#journal.add([], action);
  }
}
