import { toNodeId, toSessionId } from '../../src/core/ids.ts';
import type {
  AcquireReply,
  Heartbeat,
  Locks,
  OpenSession,
  PeerSource,
  SessionEvent,
  Source,
  SourceReply,
  SourceRequest,
} from '../../src/lock/locks.ts';

/** A lock service that leads holders to sources as a test says. */
export interface LeadingLocks extends Locks {
  /** The source of every grant from now on. */
  grants: Source;
  /** Tells all that watch. */
  tell(event: SessionEvent): void;
  /** How it answers questions for sources. */
  answer: (request: SourceRequest, signal: AbortSignal | undefined) => Promise<SourceReply>;
  /** Called between the grant of a lock and its reply. */
  beforeReply: (reply: AcquireReply) => Promise<void>;
  /** What heartbeats are answered beside the locks. */
  children: number;
  readonly asked: SourceRequest[];
  readonly heartbeats: Heartbeat[];
  readonly opened: OpenSession[];
}

export function peer(name: string, complete = false): PeerSource {
  return {
    kind: 'peer',
    url: `http://${name}:7041`,
    sessionId: toSessionId(`session of ${name}`),
    nodeId: toNodeId(name),
    complete,
  };
}

export const registry: Source = { kind: 'registry' };

/** Everything but the sources is as `locks` has it. */
export function createLeadingLocks(locks: Locks): LeadingLocks {
  const tellers = new Set<(event: SessionEvent) => void>();
  const leading: LeadingLocks = {
    ...locks,
    grants: registry,
    answer: async () => ({ kind: 'source', source: registry }),
    beforeReply: async () => {},
    children: 0,
    asked: [],
    heartbeats: [],
    opened: [],
    tell(event) {
      for (const tell of tellers) tell(event);
    },
    async openSession(request, signal) {
      leading.opened.push(request);
      return await locks.openSession(request, signal);
    },
    async renew(sessionId, heartbeat, signal) {
      const snapshot = await locks.renew(sessionId, heartbeat, signal);
      leading.heartbeats.push(heartbeat);
      return { ...snapshot, children: leading.children };
    },
    async acquire(request, signal) {
      const reply = await locks.acquire(request, signal);
      await leading.beforeReply(reply);
      return reply.kind === 'granted' ? { ...reply, source: leading.grants } : reply;
    },
    async sources(request, signal) {
      leading.asked.push(request);
      return await leading.answer(request, signal);
    },
    watch: (sessionId, signal) => together(locks.watch(sessionId, signal), tellers),
  };
  return leading;
}

/** The events of a stream, and between them those that are told. */
async function* together(
  stream: AsyncIterable<SessionEvent>,
  tellers: Set<(event: SessionEvent) => void>,
): AsyncGenerator<SessionEvent, void, undefined> {
  const told: SessionEvent[] = [];
  let wake = () => {};
  const tell = (event: SessionEvent) => {
    told.push(event);
    wake();
  };
  tellers.add(tell);
  const events = stream[Symbol.asyncIterator]();
  try {
    let next = events.next();
    for (;;) {
      for (const event of told.splice(0)) yield event;
      const rung = new Promise<undefined>((resolve) => {
        wake = () => resolve(undefined);
      });
      const result = told.length > 0 ? undefined : await Promise.race([next, rung]);
      if (!result) continue;
      if (result.done) return;
      yield result.value;
      next = events.next();
    }
  } finally {
    tellers.delete(tell);
  }
}
