import { LayerpullError } from '../../../src/core/errors.ts';
import type { NodeId, SessionId, StoreId, Token } from '../../../src/core/ids.ts';
import type {
  AcquireReply,
  AcquireRequest,
  FailureClass,
  Heartbeat,
  HeldProgress,
  Locks,
  ReleaseReply,
  ResourceRequest,
  SessionEvent,
  SessionSnapshot,
  SourceReply,
  StatusReply,
} from '../../../src/lock/locks.ts';
import { layer } from './layers.ts';

export interface ActorOptions {
  readonly sessionId?: SessionId;
  readonly storeId?: StoreId;
  /** Where it serves layers. */
  readonly url?: string;
  readonly zone?: string;
}

type About = Partial<Pick<ResourceRequest, 'type' | 'resourceId'>>;
type With = About & { readonly token?: Token };

/** Somebody who uses the service; requests concern a pull of `layer` unless they say otherwise. */
export interface Actor {
  readonly nodeId: NodeId;
  readonly sessionId: SessionId | undefined;
  acquire(request?: Partial<AcquireRequest>): Promise<AcquireReply>;
  /** Acquires what is free or handed over; throws when it is not granted. */
  take(request?: Partial<AcquireRequest>): Promise<Token>;
  succeed(request?: With): Promise<ReleaseReply>;
  fail(kind?: FailureClass, request?: With): Promise<ReleaseReply>;
  decline(request?: With): Promise<ReleaseReply>;
  status(request?: About): Promise<StatusReply>;
  /** A heartbeat that lists these locks; by default all that the session was seen to hold, each a byte further on. */
  renew(held?: readonly HeldProgress[]): Promise<SessionSnapshot>;
  /** A heartbeat that lists what `renew` would, and tells this as well. */
  tell(news: Pick<Heartbeat, 'announce' | 'draining'>): Promise<SessionSnapshot>;
  /** Asks where to read on, and complains of this session if one is named. */
  sources(offset: number, bad?: Actor): Promise<SourceReply>;
  close(): Promise<void>;
  /** Begins to listen; comes back once the snapshot is there. */
  watch(): Promise<Listener>;
  stopAll(): Promise<void>;
}

export interface Listener {
  readonly snapshot: SessionSnapshot;
  /** The next event of this kind; others before it are passed over. Fails when the stream ends first. */
  until<Kind extends SessionEvent['kind']>(kind: Kind): Promise<Extract<SessionEvent, { kind: Kind }>>;
  /** The next event but pings; undefined at the end of the stream. */
  next(): Promise<SessionEvent | undefined>;
  stop(): Promise<void>;
}

export function createActor(locks: Locks, nodeId: NodeId, sessionId: SessionId | undefined): Actor {
  const listeners: Listener[] = [];
  const identity = { nodeId, ...(sessionId === undefined ? {} : { sessionId }) };
  const base = { type: 'pull' as const, resourceId: layer, ...identity };
  const holds = new Map<string, HeldProgress>();
  const forget = ({ type = 'pull', resourceId = layer }: About) => holds.delete(`${type} ${resourceId}`);
  const own = (): SessionId => {
    if (sessionId === undefined) throw new Error(`${nodeId} has no session`);
    return sessionId;
  };

  const actor: Actor = {
    nodeId,
    sessionId,
    async acquire(request = {}) {
      const whole = { ...base, ...request };
      const reply = await locks.acquire(whole);
      const { type, resourceId } = whole;
      if (reply.kind === 'granted') {
        holds.set(`${type} ${resourceId}`, {
          type,
          resourceId,
          token: reply.token,
          offset: 0,
          total: 1_000_000,
        });
      }
      return reply;
    },
    async take(request) {
      const reply = await actor.acquire(request);
      if (reply.kind === 'granted') return reply.token;
      throw new Error(`${nodeId} was not granted the lock: ${JSON.stringify(reply)}`);
    },
    async succeed(request = {}) {
      forget(request);
      return await locks.release({ ...base, outcome: { success: true }, ...request });
    },
    async fail(kind = 'node', request = {}) {
      forget(request);
      const outcome = { success: false as const, error: `${nodeId} failed`, class: kind };
      return await locks.release({ ...base, outcome, ...request });
    },
    async decline(request = {}) {
      forget(request);
      return await locks.decline({ ...base, ...request });
    },
    status: async (request = {}) => await locks.status({ ...base, ...request }),
    async renew(held) {
      for (const [key, hold] of holds) holds.set(key, { ...hold, offset: hold.offset + 1 });
      return await locks.renew(own(), { held: held ?? [...holds.values()] });
    },
    tell: async (news) => await locks.renew(own(), { held: [...holds.values()], ...news }),
    async sources(offset, bad) {
      const hold = holds.get(`pull ${layer}`);
      if (!hold) throw new Error(`${nodeId} does not hold the lock`);
      holds.set(`pull ${layer}`, { ...hold, offset });
      const request = { sessionId: own(), resourceId: layer, token: hold.token, offset };
      const reason = 'nothing came';
      const complaint = bad?.sessionId === undefined ? {} : { bad: { sessionId: bad.sessionId, reason } };
      return await locks.sources({ ...request, ...complaint });
    },
    close: async () => await locks.closeSession(own()),
    async watch() {
      const listener = await listen(locks, own());
      listeners.push(listener);
      return listener;
    },
    async stopAll() {
      for (const listener of listeners.splice(0)) await listener.stop();
    },
  };
  return actor;
}

async function listen(locks: Locks, sessionId: SessionId): Promise<Listener> {
  const stopping = new AbortController();
  const events = locks.watch(sessionId, stopping.signal)[Symbol.asyncIterator]();
  const first = await events.next();
  if (first.done || first.value.kind !== 'snapshot') throw new Error('a stream begins with a snapshot');
  const next = async (): Promise<SessionEvent | undefined> => {
    for (;;) {
      const { done, value } = await events.next();
      if (done) return undefined;
      if (value.kind !== 'ping') return value;
    }
  };
  return {
    snapshot: first.value,
    next,
    async until(kind) {
      for (;;) {
        const { done, value } = await events.next();
        if (done) throw new Error(`the stream ended before "${kind}"`);
        if (isKind(value, kind)) return value;
      }
    },
    async stop() {
      stopping.abort();
      await events.return?.().then(
        () => {},
        () => {},
      );
    },
  };
}

function isKind<Kind extends SessionEvent['kind']>(
  event: SessionEvent,
  kind: Kind,
): event is Extract<SessionEvent, { kind: Kind }> {
  return event.kind === kind;
}

/** The code of the LayerpullError that the call throws; fails when it does not. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof LayerpullError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}
