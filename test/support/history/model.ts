import {
  type Claimant,
  finish,
  granted,
  type Hold,
  handOn,
  isKnown,
  isSame,
  type ModelState,
  type Moment,
  mayBeFresh,
  mayBeStale,
  restarted,
  type Spent,
  type Waiter,
  withoutSession,
  withSession,
} from './model-state.ts';
import type { Answer, Claim, Identity, Place, Request, RequestOf, ServerTimes } from './operations.ts';

/** An answer of the model: like that of the server, but that a token may not be known yet. */
export type ModelAnswer =
  | Exclude<Answer, { kind: 'granted' | 'standing' }>
  | { readonly kind: 'granted'; readonly token: number | undefined }
  | {
      readonly kind: 'standing';
      readonly holds: Hold | undefined;
      readonly queued: readonly Place[];
    };

export interface Possibility {
  readonly answer: ModelAnswer;
  readonly state: ModelState;
}

type Asked = Exclude<Request, { kind: 'told' }>;

/**
 * All that the server may answer to a request in this state: mostly one thing, and two where it depends on a time that
 * is not known exactly.
 */
export function possibilities(
  state: ModelState,
  who: Identity,
  request: Asked,
  moment: Moment,
  times: ServerTimes,
): readonly Possibility[] {
  if (request.kind === 'restart') return [{ answer: done, state: restarted(state, times.recoveryMs) }];
  if (request.kind === 'open') return [{ answer: done, state: withSession(state, who) }];
  if (request.kind === 'close') return [{ answer: done, state: withoutSession(state, who) }];
  if (!isKnown(state, who)) return [{ answer: { kind: 'unknown-session' }, state }];
  if (request.kind === 'renew') return [renew(state, who, request)];
  if (request.kind === 'acquire') return acquire(state, who, request, moment, times);
  if (request.kind === 'release') {
    const finished = () => finish(state, request.ended, moment, times.contentFailureMs);
    return [end(state, who, request, request.ended === 'success' ? 'success' : 'failure', finished)];
  }
  return [decline(state, who, request)];
}

const done: ModelAnswer = { kind: 'done' };

/** A heartbeat claims the grants it lists, and is answered with how things stand. */
function renew(state: ModelState, who: Identity, { held }: RequestOf<'renew'>): Possibility {
  const next = held.reduce((before, claim) => renewHold(before, who, claim), state);
  return { answer: standingOf(next, who), state: next };
}

function renewHold(state: ModelState, who: Identity, { type, token }: Claim): ModelState {
  const { holder } = state;
  if (holder && isSame(holder, { who, type }) && holder.token === token)
    return { ...state, holder: { ...holder, isClaimed: true } };
  return comesBack(state, token) ? adopted(state, { who, type }, token) : state;
}

/**
 * A lock from before a restart that left nothing comes back with its holder, unless somebody held it since. While the
 * server recovers the higher of two tokens is the later.
 */
function comesBack({ holder, wasHeld, recoversMs, lastToken }: ModelState, token: number): boolean {
  if (!wasHeld) return token <= lastToken;
  return recoversMs !== undefined && holder?.token !== undefined && token > holder.token;
}

function adopted(state: ModelState, { who, type }: Claimant, token: number): ModelState {
  const left = handOn(state, 'lost');
  const queue = left.queue.filter((waiter) => !isSame(waiter, { who, type }));
  const holder = { who, type, token, isClaimed: true, sinceMs: state.nowMs };
  return { ...left, queue, holder, wasHeld: true, lastToken: Math.max(left.lastToken, token) };
}

export function standingOf(state: ModelState, who: Identity): ModelAnswer {
  const { holder, queue } = state;
  const queued = queue.flatMap((waiter, index) =>
    waiter.who === who
      ? [{ type: waiter.type, position: positionOf(waiter, index), holder: holder?.who }]
      : [],
  );
  return { kind: 'standing', holds: holder?.who === who ? holder : undefined, queued };
}

function acquire(
  state: ModelState,
  who: Identity,
  request: RequestOf<'acquire'>,
  moment: Moment,
  times: ServerTimes,
): readonly Possibility[] {
  const { type, requestId } = request;
  const known = answerKnown(state, { who, type });
  if (known) return [known];
  const isAnswered = state.answered.some((one) => isSame(one, { who, type }) && one.requestId === requestId);
  if (isAnswered) return [{ answer: { kind: 'skip' }, state }];
  const found: Possibility[] = [];
  const fresh = { ...state, answered: state.answered.filter((one) => !isSame(one, { who, type })) };
  if (type === 'pull' && !request.force && state.done) {
    if (mayBeFresh(state.done, times.completionMs, moment))
      found.push({ answer: { kind: 'skip' }, state: fresh });
    if (!mayBeStale(state.done, times.completionMs, moment)) return found;
  }
  if (type !== 'delete' && state.refused) {
    if (mayBeFresh(state.refused, times.contentFailureMs, moment))
      found.push({ answer: { kind: 'refused' }, state });
    if (!mayBeStale(state.refused, times.contentFailureMs, moment)) return found;
  }
  if (state.recoversMs !== undefined && request.position === undefined) return found;
  return [...found, answerNew(fresh, { who, type, requestId }, request.position)];
}

/** The holder and the waiters may ask again as often as they like. */
function answerKnown(state: ModelState, claimant: Claimant): Possibility | undefined {
  const { holder, queue } = state;
  if (holder && isSame(holder, claimant)) {
    const next = { ...state, holder: { ...holder, isClaimed: true } };
    return { answer: { kind: 'granted', token: holder.token }, state: next };
  }
  const index = queue.findIndex((waiter) => isSame(waiter, claimant));
  const waiter = queue[index];
  if (!waiter) return undefined;
  return { answer: { kind: 'queued', position: positionOf(waiter, index), holder: holder?.who }, state };
}

/** While the server recovers, the position told before. */
function positionOf({ former }: Waiter, index: number): number {
  return former ?? index + 1;
}

function answerNew(state: ModelState, claimant: Waiter, former: number | undefined): Possibility {
  const { holder, queue, recoversMs } = state;
  const isRecovering = recoversMs !== undefined;
  if (!holder && !isRecovering)
    return { answer: { kind: 'granted', token: undefined }, state: granted(state, claimant, true) };
  const waiter = isRecovering && former !== undefined ? { ...claimant, former } : claimant;
  const answer: ModelAnswer = {
    kind: 'queued',
    position: positionOf(waiter, queue.length),
    holder: holder?.who,
  };
  return { answer, state: { ...state, queue: [...queue, waiter] } };
}

interface Ending {
  readonly type: Claim['type'];
  readonly token?: number | undefined;
}

/** Without a token a decline also gives up a place. */
function decline(state: ModelState, who: Identity, request: RequestOf<'decline'>): Possibility {
  const { type, token } = request;
  const isPlace = token === undefined && state.queue.some((waiter) => isSame(waiter, { who, type }));
  const isHold = state.holder !== undefined && isSame(state.holder, { who, type });
  if (!isPlace || isHold) return end(state, who, request, 'declined', () => handOn(state, 'declined'));
  const queue = state.queue.filter((waiter) => !isSame(waiter, { who, type }));
  return { answer: { kind: 'released' }, state: { ...state, queue } };
}

/** Ends the hold that is meant; else says how that hold ended before. Nothing changes then. */
function end(
  state: ModelState,
  who: Identity,
  { type, token }: Ending,
  ending: Spent['end'],
  finished: () => ModelState,
): Possibility {
  const holds = state.holder !== undefined && isSame(state.holder, { who, type });
  const isMeant = holds && (token === undefined || token === state.holder?.token);
  if (isMeant) return { answer: { kind: 'released' }, state: finished() };
  const before = token === undefined ? state.spent.at(-1) : state.spent.find((one) => one.token === token);
  if (!before || !isSame(before, { who, type }))
    return { answer: { kind: holds ? 'conflict' : 'not-holder' }, state };
  return { answer: { kind: before.end === ending ? 'released' : 'conflict' }, state };
}
