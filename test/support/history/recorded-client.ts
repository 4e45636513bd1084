import type { Digest } from '../../../src/core/digest.ts';
import { type NodeId, type SessionId, toRequestId, toStoreId, toToken } from '../../../src/core/ids.ts';
import type {
  AcquireReply,
  HolderView,
  Locks,
  OperationType,
  Outcome as ReleaseOutcome,
  ReleaseReply,
  SessionEvent,
  SessionInfo,
  SessionSnapshot,
} from '../../../src/lock/locks.ts';
import type { Answer, Ended, Identity, News, Standing } from './operations.ts';
import type { Member, Outcome, Recorder } from './recorder.ts';

export interface ClientName {
  readonly nodeId: NodeId;
  /** Absent: a client without a session. */
  readonly sessionId?: SessionId;
  /** Absent: the domain `default`. */
  readonly storeId?: string;
}

/** What a client asks for. */
export interface Wish {
  readonly type: OperationType;
  readonly requestId: string;
  readonly force?: boolean;
  /** Its place before a restart. */
  readonly position?: number | undefined;
}

export interface Held {
  readonly type: OperationType;
  readonly resourceId: Digest;
  readonly token: number;
}

type Asked<Reply> = Promise<Outcome<Reply>>;

/** The locks as one client uses them; all it asks and all it is told goes into the record. */
export class RecordedClient {
  readonly member: Member;
  readonly #name: ClientName;
  readonly #locks: Locks;
  readonly #recorder: Recorder;

  constructor(name: ClientName, locks: Locks, recorder: Recorder) {
    this.#name = name;
    this.#locks = locks;
    this.#recorder = recorder;
    this.member = { who: identityOf(name), domain: name.storeId ?? 'default' };
  }

  open(signal?: AbortSignal): Asked<SessionInfo> {
    const { nodeId, storeId } = this.#name;
    const store = storeId === undefined ? {} : { storeId: toStoreId(storeId) };
    return this.#recorder.call(
      this.member,
      { request: () => ({ kind: 'open' }), answer: () => ({ kind: 'done' }) },
      () => this.#locks.openSession({ nodeId, sessionId: this.#sessionId(), ...store }, signal),
    );
  }

  close(signal?: AbortSignal): Asked<void> {
    return this.#recorder.call(
      this.member,
      { request: () => ({ kind: 'close' }), answer: () => ({ kind: 'done' }) },
      () => this.#locks.closeSession(this.#sessionId(), signal),
    );
  }

  /** The server hears that half of each layer is there, and each time a little more. */
  renew(held: readonly Held[], signal?: AbortSignal): Asked<SessionSnapshot> {
    const offset = Math.floor(this.#recorder.now());
    const progress = held.map((one) => ({ ...one, token: toToken(one.token), offset, total: offset * 2 }));
    return this.#recorder.call(
      this.member,
      {
        request: (id) => ({ kind: 'renew', held: held.filter(({ resourceId }) => resourceId === id) }),
        answer: (snapshot, id) => ({ kind: 'standing', standing: standingOf(snapshot, id) }),
      },
      () => this.#locks.renew(this.#sessionId(), { held: progress }, signal),
    );
  }

  acquire(
    resourceId: Digest,
    { type, requestId, force = false, position }: Wish,
    signal?: AbortSignal,
  ): Asked<AcquireReply> {
    const more = {
      requestId: toRequestId(requestId),
      ...(force ? { force } : {}),
      ...(position === undefined ? {} : { position }),
    };
    return this.#recorder.call(
      this.member,
      {
        about: resourceId,
        request: () => ({ kind: 'acquire', type, requestId, force, position }),
        answer: acquireAnswer,
      },
      () => this.#locks.acquire({ ...this.#about(type, resourceId), ...more }, signal),
    );
  }

  release(
    resourceId: Digest,
    { type, token, ended }: { type: OperationType; token?: number | undefined; ended: Ended },
    signal?: AbortSignal,
  ): Asked<ReleaseReply> {
    const outcome: ReleaseOutcome =
      ended === 'success' ? { success: true } : { success: false, error: 'it broke', class: ended };
    return this.#recorder.call(
      this.member,
      {
        about: resourceId,
        request: () => ({ kind: 'release', type, token, ended }),
        answer: ({ kind }) => ({ kind }),
      },
      () => this.#locks.release({ ...this.#about(type, resourceId), ...tokenOf(token), outcome }, signal),
    );
  }

  decline(
    resourceId: Digest,
    { type, token }: { type: OperationType; token?: number | undefined },
    signal?: AbortSignal,
  ): Asked<ReleaseReply> {
    return this.#recorder.call(
      this.member,
      {
        about: resourceId,
        request: () => ({ kind: 'decline', type, token }),
        answer: ({ kind }) => ({ kind }),
      },
      () => this.#locks.decline({ ...this.#about(type, resourceId), ...tokenOf(token) }, signal),
    );
  }

  /** The stream of its session, until it ends or breaks. */
  async *watch(signal: AbortSignal): AsyncGenerator<SessionEvent, void, undefined> {
    const openedMs = this.#recorder.now();
    for await (const event of this.#locks.watch(this.#sessionId(), signal)) {
      this.#note(event, openedMs);
      yield event;
    }
  }

  #note(event: SessionEvent, openedMs: number): void {
    // Positions between snapshots are hints: they may be of a moment that nobody else gets to see.
    if (event.kind === 'ping' || event.kind === 'queued' || event.kind === 'source') return;
    const news = (id: Digest): News =>
      event.kind === 'snapshot' ? { kind: 'snapshot', standing: standingOf(event, id) } : event;
    const about = event.kind === 'snapshot' ? {} : { about: event.resourceId };
    this.#recorder.told(this.member, openedMs, {
      ...about,
      request: (id) => ({ kind: 'told', news: news(id) }),
    });
  }

  #sessionId(): SessionId {
    if (this.#name.sessionId === undefined) throw new Error(`${this.member.who} has no session`);
    return this.#name.sessionId;
  }

  #about(type: OperationType, resourceId: Digest) {
    const { nodeId, sessionId } = this.#name;
    return { type, resourceId, nodeId, ...(sessionId === undefined ? {} : { sessionId }) };
  }
}

function tokenOf(token: number | undefined) {
  return token === undefined ? {} : { token: toToken(token) };
}

export function identityOf({ nodeId, sessionId }: HolderView): Identity {
  return sessionId === undefined ? `node ${nodeId}` : `session ${sessionId}`;
}

function acquireAnswer(reply: AcquireReply): Answer {
  if (reply.kind === 'granted') return { kind: 'granted', token: reply.token };
  if (reply.kind === 'skip') return { kind: 'skip' };
  if (reply.kind === 'queued')
    return { kind: 'queued', position: reply.position, holder: reply.holder && identityOf(reply.holder) };
  if (reply.reason === 'content') return { kind: 'refused' };
  throw new Error(`refused for want of room: ${reply.message}`);
}

function standingOf({ granted, queued }: SessionSnapshot, id: Digest): Standing {
  return {
    granted: granted.filter(({ resourceId }) => resourceId === id),
    queued: queued
      .filter(({ resourceId }) => resourceId === id)
      .map(({ type, position, holder }) => ({ type, position, holder: holder && identityOf(holder) })),
  };
}
