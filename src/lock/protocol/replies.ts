import * as v from 'valibot';
import type { AcquireReply, HolderView, ReleaseReply, SessionInfo } from '../locks.ts';
import {
  flag,
  holder,
  milliseconds,
  optionalHolderToWire,
  position,
  present,
  sessionId,
  text,
  token,
} from './fields.ts';
import { source, sourceToWire } from './sources.ts';
import type { WireReply } from './wire-reply.ts';

export type { WireReply } from './wire-reply.ts';

const refusals = {
  content: 'content refused',
  limit: 'limit reached',
  taken: 'already locked',
} as const;

/** Answer of `POST /lock`. */
export function acquireReplyToWire(reply: AcquireReply): WireReply {
  switch (reply.kind) {
    case 'granted':
      return { status: 200, body: grantedBody(reply) };
    case 'skip':
      return { status: 200, body: skipBody(reply.by) };
    case 'queued':
      return { status: 200, body: queuedBody(reply.position, reply.holder) };
    case 'refused':
      return {
        status: 403,
        body: {
          acquired: false,
          skip: false,
          error: refusals[reply.reason],
          message: reply.message,
          code: reply.reason,
        },
      };
  }
}

function grantedBody(reply: Extract<AcquireReply, { kind: 'granted' }>) {
  return {
    acquired: true,
    skip: false,
    message: 'lock acquired',
    token: reply.token,
    ttl_ms: reply.ttlMs,
    source: sourceToWire(reply.source),
  };
}

function skipBody(by: HolderView | undefined) {
  const message = by ? `already done by ${by.nodeId}` : 'already done';
  return { acquired: false, skip: true, message, by: optionalHolderToWire(by) };
}

function queuedBody(place: number, owner: HolderView | undefined) {
  const behind = owner ? `behind ${owner.nodeId}` : 'while the lock server recovers';
  return {
    acquired: false,
    skip: false,
    message: `queued at position ${place} ${behind}`,
    position: place,
    holder: optionalHolderToWire(owner),
  };
}

const acquireWire = v.object({
  acquired: flag,
  skip: v.nullish(flag, false),
  message: v.nullish(text, ''),
  token: v.nullish(token),
  ttl_ms: v.nullish(milliseconds),
  source: v.nullish(source),
  position: v.nullish(position),
  holder: v.nullish(holder),
  by: v.nullish(holder),
});

/** A grant must carry its token, a place its position: all else may be absent. */
export const acquireReplySchema = v.pipe(
  acquireWire,
  v.rawTransform(({ dataset, addIssue, NEVER }): AcquireReply => {
    const wire = dataset.value;
    const issue = (field: 'token' | 'ttl_ms' | 'position') => {
      addIssue({ message: `has no ${field}` });
      return NEVER;
    };
    if (wire.skip) return { kind: 'skip', ...present({ by: wire.by }) };
    if (!wire.acquired) {
      if (!wire.position) return issue('position');
      return { kind: 'queued', position: wire.position, ...present({ holder: wire.holder }) };
    }
    if (typeof wire.token !== 'number') return issue('token');
    if (typeof wire.ttl_ms !== 'number') return issue('ttl_ms');
    const named = wire.source ?? { kind: 'registry' };
    return { kind: 'granted', token: wire.token, ttlMs: wire.ttl_ms, source: named };
  }),
);

export const refusalSchema = v.pipe(
  v.object({ code: v.picklist(['content', 'limit', 'taken']), message: text }),
  v.transform((wire): AcquireReply => ({ kind: 'refused', reason: wire.code, message: wire.message })),
);

/** Answer of `POST /unlock`. */
export function releaseReplyToWire(reply: ReleaseReply, done = 'released'): WireReply {
  switch (reply.kind) {
    case 'released':
      return { status: 200, body: { released: true, message: done } };
    case 'conflict':
      return { status: 409, body: { released: false, message: reply.message } };
    case 'not-holder':
      return { status: 403, body: { released: false, message: reply.message } };
  }
}

const releasedSchema = v.object({ released: v.literal(true) });
const unreleasedSchema = v.object({ released: v.literal(false), message: text });

/** The answer to an unlock; undefined where the status or the body is none. */
export function releaseReplyFromWire(status: number, body: unknown): ReleaseReply | undefined {
  if (status === 200 && v.is(releasedSchema, body)) return { kind: 'released' };
  if (!v.is(unreleasedSchema, body)) return undefined;
  if (status === 409) return { kind: 'conflict', message: body.message };
  return status === 403 ? { kind: 'not-holder', message: body.message } : undefined;
}

/** Answer of `POST /sessions`. */
export function sessionToWire(info: SessionInfo) {
  return {
    session_id: info.sessionId,
    ttl_ms: info.ttlMs,
    heartbeat_ms: info.heartbeatMs,
    claim_ms: info.claimMs,
  };
}

export const sessionSchema = v.pipe(
  v.object({
    session_id: sessionId,
    ttl_ms: milliseconds,
    heartbeat_ms: milliseconds,
    claim_ms: milliseconds,
  }),
  v.transform(
    (wire): SessionInfo => ({
      sessionId: wire.session_id,
      ttlMs: wire.ttl_ms,
      heartbeatMs: wire.heartbeat_ms,
      claimMs: wire.claim_ms,
    }),
  ),
);

/** What every refused request is answered with. */
export interface WireError {
  /** A few words for people and for older clients. */
  readonly error: string;
  /** One sentence that says what was wrong. */
  readonly message: string;
  /** For programs, where they can do something about it. */
  readonly code?: string;
}

export const errorSchema = v.object({
  error: v.nullish(text),
  message: v.nullish(text),
  code: v.nullish(text),
});
