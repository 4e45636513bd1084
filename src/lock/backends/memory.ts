import { randomUUID } from 'node:crypto';
import { abortable, deferred } from '../../core/abort.ts';
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { LayerpullError } from '../../core/errors.ts';
import { type SessionId, toSessionId } from '../../core/ids.ts';
import { type Log, silentLog } from '../../core/log.ts';
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
} from '../locks.ts';
import type { Command, CommandOf, Replies, UnknownSession } from '../machine/commands.ts';
import type { MachineEvent, ResourceNews } from '../machine/events.ts';
import { type MachineOptions, machineOptions } from '../machine/options.ts';
import { createState, type MachineState } from '../machine/state.ts';
import { step } from '../machine/step.ts';
import { currentNews, listResources, placesAt } from '../read-model.ts';
import { logEvent } from './engine/log.ts';
import { Watchers } from './engine/watchers.ts';

export interface MemoryLocksOptions extends Partial<MachineOptions> {
  readonly clock: Clock;
  readonly log?: Log;
}

/** The lock service in this process's memory. What it knew before a restart its clients re-assert. */
export interface MemoryLocks extends Locks {
  /** Sessions that are open. */
  sessionCount(): number;
}

/** How often time is looked at, in milliseconds: fine enough for bounds of seconds. */
const tickMs = 250;
/** Changes of position are told at most this often, in milliseconds. */
const movesMs = 1_000;
/** A sign of life on the streams of sessions comes this often, in milliseconds. */
const pingMs = 5_000;

/** @throws LayerpullError `usage` for options that contradict each other */
export function createMemoryLocks({ clock, log = silentLog, ...given }: MemoryLocksOptions): MemoryLocks {
  return new Memory(clock, log, createState(machineOptions(given), clock.now()));
}

class Memory implements MemoryLocks {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #state: MachineState;
  readonly #watchers = new Watchers();
  /** Queues whose changes were not told yet. */
  readonly #moved = new Map<string, { readonly domain: string; readonly resourceId: Digest }>();
  readonly #timers: readonly (() => void)[];
  readonly #recovery = deferred<void>();

  constructor(clock: Clock, log: Log, state: MachineState) {
    this.#clock = clock;
    this.#log = log;
    this.#state = state;
    this.#timers = [
      clock.every(tickMs, () => this.#tick()),
      clock.every(movesMs, () => this.#tellMoves()),
      clock.every(pingMs, () => this.#watchers.tellAllSessions({ kind: 'ping' })),
    ];
  }

  sessionCount(): number {
    return this.#state.sessions.size;
  }

  async openSession(request: OpenSession, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const isReturning = request.sessionId !== undefined;
    const sessionId = request.sessionId ?? toSessionId(randomUUID());
    return this.#step({ kind: 'open-session', request: { ...request, sessionId }, isReturning });
  }

  async closeSession(sessionId: SessionId, signal?: AbortSignal) {
    signal?.throwIfAborted();
    this.#step({ kind: 'close-session', sessionId });
  }

  async renew(sessionId: SessionId, heartbeat: Heartbeat, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return known(this.#step({ kind: 'renew', sessionId, heartbeat })).snapshot;
  }

  async acquire(request: AcquireRequest, signal = new AbortController().signal): Promise<AcquireReply> {
    for (;;) {
      signal.throwIfAborted();
      const reply = known(this.#step({ kind: 'acquire', request }));
      if (reply.kind !== 'recovering') return reply;
      // All wait for the same moment, so they go on in the order in which they came.
      await abortable(this.#recovery.promise, signal);
    }
  }

  async release(request: ReleaseRequest, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return known(this.#step({ kind: 'release', request }));
  }

  async decline(request: DeclineRequest, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return known(this.#step({ kind: 'decline', request }));
  }

  async status(request: ResourceRequest, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return known(this.#step({ kind: 'status', request })).status;
  }

  async list(query: ListQuery, signal?: AbortSignal) {
    signal?.throwIfAborted();
    return listResources(this.#state, query, this.#clock.now());
  }

  async *watch(sessionId: SessionId, signal: AbortSignal): AsyncGenerator<SessionEvent, void, undefined> {
    if (signal.aborted) return;
    const { snapshot } = known(this.#step({ kind: 'stream-opened', sessionId }));
    const channel = this.#watchers.addSession(sessionId);
    try {
      yield { kind: 'snapshot', ...snapshot };
      yield* channel.items(signal);
    } finally {
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
    const channel = this.#watchers.addResource(type, resourceId);
    try {
      const news = currentNews(this.#state, type, resourceId, this.#clock.now());
      for (const one of news) yield this.#withWallTime(one);
      yield* channel.items(signal);
    } finally {
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
  }

  #tick(): void {
    this.#step({ kind: 'tick' });
    if (!this.#state.isRecovering) this.#recovery.resolve();
  }

  #step<Kind extends Command['kind']>(command: CommandOf<Kind>): Replies[Kind] {
    const { reply, events } = step<Kind>(this.#state, command, this.#clock.now());
    for (const event of events) this.#tell(event);
    return reply;
  }

  #tell(event: MachineEvent): void {
    switch (event.kind) {
      case 'session':
        this.#watchers.tellSession(event.sessionId, event.event);
        break;
      case 'session-ended':
        this.#watchers.endSession(event.sessionId);
        break;
      case 'resource':
        this.#watchers.tellResource(this.#withWallTime(event));
        break;
      case 'moved':
        this.#moved.set(`${event.domain}\n${event.resourceId}`, event);
        break;
      case 'log':
        logEvent(this.#log, event);
        break;
    }
  }

  #withWallTime({ event, endedMs }: ResourceNews): ResourceEvent {
    if (endedMs === undefined) return event;
    const ageMs = this.#clock.now() - endedMs;
    return { ...event, completedAtMs: Math.round(this.#clock.wallNow() - ageMs) };
  }

  #tellMoves(): void {
    for (const { domain, resourceId } of this.#moved.values()) {
      for (const { sessionId, place } of placesAt(this.#state, domain, resourceId)) {
        this.#watchers.tellSession(sessionId, { kind: 'queued', ...place });
      }
    }
    this.#moved.clear();
  }
}

function known<T extends { readonly kind: string } | undefined>(
  reply: T | UnknownSession,
): Exclude<T, UnknownSession> {
  if (reply?.kind === 'unknown-session') {
    throw new LayerpullError('session_unknown', 'the lock server does not know this session', {
      hint: 'open it again under its id',
    });
  }
  return reply as Exclude<T, UnknownSession>;
}

function closed(): LayerpullError {
  return new LayerpullError('lock_unreachable', 'the lock service was closed', {
    hint: 'ask again once it runs',
  });
}
