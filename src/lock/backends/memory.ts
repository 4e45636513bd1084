import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { LayerpullError } from '../../core/errors.ts';
import { type SessionId, toSessionId } from '../../core/ids.ts';
import { type Log, silentLog } from '../../core/log.ts';
import type {
  AcquireReply,
  AcquireRequest,
  Heartbeat,
  ListQuery,
  Locks,
  OpenSession,
  OperationType,
  ResourceEvent,
  SessionEvent,
  SessionSnapshot,
} from '../locks.ts';
import type { Command, MachineEvent, Replies, UnknownSession } from '../machine/commands.ts';
import { type MachineOptions, machineOptions } from '../machine/options.ts';
import { createState, findLock, type MachineState, viewOf } from '../machine/state.ts';
import { step } from '../machine/step.ts';
import { currentResourceEvent, listResources } from '../read-model.ts';
import { logEvent } from './memory-log.ts';
import { Watchers } from './memory-watchers.ts';

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

/** @throws LayerpullError `usage` for options that contradict each other */
export function createMemoryLocks({ clock, log = silentLog, ...given }: MemoryLocksOptions): MemoryLocks {
  return new Memory(clock, log, createState(machineOptions(given), clock.now()));
}

class Memory implements MemoryLocks {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #state: MachineState;
  readonly #watchers = new Watchers();
  readonly #moved = new Map<string, { readonly domain: string; readonly resourceId: Digest }>();
  readonly #timers: readonly (() => void)[];

  constructor(clock: Clock, log: Log, state: MachineState) {
    this.#clock = clock;
    this.#log = log;
    this.#state = state;
    this.#timers = [
      clock.every(tickMs, () => this.#step({ kind: 'tick' })),
      clock.every(movesMs, () => this.#tellMoves()),
      clock.every(state.options.heartbeatMs, () => this.#watchers.tellAllSessions({ kind: 'ping' })),
    ];
  }

  sessionCount(): number {
    return this.#state.sessions.size;
  }

  async openSession(request: OpenSession) {
    const sessionId = request.sessionId ?? toSessionId(randomUUID());
    return this.#step({ kind: 'open-session', request: { ...request, sessionId } });
  }

  async closeSession(sessionId: SessionId) {
    this.#step({ kind: 'close-session', sessionId });
  }

  async renew(sessionId: SessionId, heartbeat: Heartbeat): Promise<SessionSnapshot> {
    return known(this.#step({ kind: 'renew', sessionId, heartbeat }));
  }

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply> {
    for (;;) {
      const reply = known(this.#step({ kind: 'acquire', request }));
      if (reply.kind !== 'recovering') return reply;
      await this.#clock.sleep(Math.min(reply.waitMs, tickMs), signal);
    }
  }

  async release(request: Extract<Command, { kind: 'release' }>['request']) {
    return known(this.#step({ kind: 'release', request }));
  }

  async decline(request: Extract<Command, { kind: 'decline' }>['request']) {
    return known(this.#step({ kind: 'decline', request }));
  }

  async status(request: Extract<Command, { kind: 'status' }>['request']) {
    return known(this.#step({ kind: 'status', request }));
  }

  async list(query: ListQuery) {
    return listResources(this.#state, query, this.#clock.now());
  }

  async *watch(sessionId: SessionId, signal: AbortSignal): AsyncIterable<SessionEvent> {
    const channel = this.#watchers.addSession(sessionId);
    try {
      const snapshot = known(this.#step({ kind: 'stream-opened', sessionId }));
      try {
        yield snapshot;
        yield* channel.items(signal);
      } finally {
        this.#step({ kind: 'stream-closed', sessionId });
      }
    } finally {
      this.#watchers.removeSession(sessionId, channel);
    }
  }

  async *watchResource(
    type: OperationType,
    resourceId: Digest,
    signal: AbortSignal,
  ): AsyncIterable<ResourceEvent> {
    const channel = this.#watchers.addResource(type, resourceId);
    this.#step({ kind: 'listener-opened', resourceId });
    try {
      const current = currentResourceEvent(this.#state, type, resourceId);
      if (current) yield this.#withWallTime(current.event, current.endedAtMs);
      yield* channel.items(signal);
    } finally {
      this.#step({ kind: 'listener-closed', resourceId });
      this.#watchers.removeResource(type, resourceId, channel);
    }
  }

  async close(): Promise<void> {
    for (const stop of this.#timers) stop();
    this.#watchers.endAll();
  }

  #step<Kind extends Command['kind']>(command: Extract<Command, { kind: Kind }>): Replies[Kind] {
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
      case 'resource': {
        const { success, error } = event.event;
        const isEnd = success || error !== '';
        this.#watchers.tellResource(this.#withWallTime(event.event, isEnd ? this.#clock.now() : undefined));
        break;
      }
      case 'moved':
        this.#moved.set(`${event.domain}\n${event.resourceId}`, event);
        break;
      case 'log':
        logEvent(this.#log, event);
        break;
    }
  }

  #withWallTime(event: ResourceEvent, atMs: number | undefined): ResourceEvent {
    if (atMs === undefined) return event;
    return { ...event, completedAtMs: Math.round(this.#clock.wallNow() - (this.#clock.now() - atMs)) };
  }

  #tellMoves(): void {
    for (const { domain, resourceId } of this.#moved.values()) this.#tellPositions(domain, resourceId);
    this.#moved.clear();
  }

  #tellPositions(domain: string, resourceId: Digest): void {
    const lock = findLock(this.#state, domain, resourceId);
    if (!lock) return;
    const holder = lock.holder ? { holder: viewOf(lock.holder) } : {};
    let position = 0;
    for (const { sessionId, type } of lock.queue.values()) {
      position += 1;
      if (!sessionId) continue;
      this.#watchers.tellSession(sessionId, { kind: 'queued', type, resourceId, position, ...holder });
    }
  }
}

function known<T extends object | undefined>(reply: T | UnknownSession): Exclude<T, UnknownSession> {
  if (reply && 'kind' in reply && reply.kind === 'unknown-session') {
    throw new LayerpullError('session_unknown', 'the lock server does not know this session', {
      hint: 'open it again under its id',
    });
  }
  return reply as Exclude<T, UnknownSession>;
}
