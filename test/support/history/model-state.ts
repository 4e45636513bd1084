import type { OperationType } from '../../../src/lock/locks.ts';
import type { Ended, Identity } from './operations.ts';

/** Somewhere between two times, in milliseconds. */
export interface Moment {
  readonly afterMs: number;
  readonly beforeMs: number;
}

export interface Claimant {
  readonly who: Identity;
  readonly type: OperationType;
}

export interface Hold extends Claimant {
  /** Undefined until an answer or an event names it. */
  readonly token: number | undefined;
  /** Its owner is known to know of it. */
  readonly isClaimed: boolean;
  /** It was not granted before. */
  readonly sinceMs: number;
}

export interface Waiter extends Claimant {
  readonly requestId: string;
  /** The place it had before a restart, while the server recovers. */
  readonly former?: number;
}

export interface Spent extends Claimant {
  readonly token: number | undefined;
  readonly end: 'success' | 'failure' | 'declined' | 'lost';
}

/** One resource in one domain, as the rules of the service say that it stands. Never changed in place. */
export interface ModelState {
  /** It is not earlier than this. */
  readonly nowMs: number;
  /** Sessions that the server knows. */
  readonly open: readonly Identity[];
  readonly holder: Hold | undefined;
  readonly queue: readonly Waiter[];
  /** Highest token that is known to have been given out. */
  readonly lastToken: number;
  readonly spent: readonly Spent[];
  /** A pull succeeded and nothing was deleted since. */
  readonly done: Moment | undefined;
  /** The content failed, and no success came since. */
  readonly content: Moment | undefined;
  /** It failed twice in a row. */
  readonly refused: Moment | undefined;
  /** Only after a restart that left nothing: it waits until then at least for former holders and waiters. */
  readonly recoversMs: number | undefined;
  /** There was such a restart: holds before it are not among those spent. */
  readonly hasForgotten: boolean;
  /** Somebody held the lock since. */
  readonly wasHeld: boolean;
  /** Deletes that were answered while they waited. */
  readonly answered: readonly Waiter[];
}

export const firstState: ModelState = {
  nowMs: Number.NEGATIVE_INFINITY,
  open: [],
  holder: undefined,
  queue: [],
  lastToken: 0,
  spent: [],
  done: undefined,
  content: undefined,
  refused: undefined,
  recoversMs: undefined,
  hasForgotten: false,
  wasHeld: false,
  answered: [],
};

export const isSession = (who: Identity): boolean => who.startsWith('session ');

export function isKnown({ open }: ModelState, who: Identity): boolean {
  return !isSession(who) || open.includes(who);
}

export const isSame = (one: Claimant, other: Claimant): boolean =>
  one.who === other.who && one.type === other.type;

/** All but times. */
export function keyOf({ nowMs: _, recoversMs, done, content, refused, holder, ...rest }: ModelState): string {
  const { sinceMs, ...hold } = holder ?? { sinceMs: 0 };
  return JSON.stringify([
    rest,
    hold,
    ...[recoversMs, done, content, refused].map((one) => one !== undefined),
  ]);
}

/** The times of a state: of two states that are alike, all that may follow on the later one may on the earlier. */
export function timesOf({
  nowMs,
  recoversMs,
  holder,
  done,
  content,
  refused,
}: ModelState): readonly number[] {
  const moments = [done, content, refused].flatMap((one) => (one ? [one.afterMs, -one.beforeMs] : []));
  return [nowMs, recoversMs ?? 0, holder?.sinceMs ?? 0, ...moments];
}

/** Without what only matters to those who are not heard of any more. */
export function withoutOthers(state: ModelState, remaining: ReadonlySet<Identity>): ModelState {
  const { holder, queue } = state;
  const isInvolved = (who: Identity) => holder?.who === who || queue.some((waiter) => waiter.who === who);
  return {
    ...state,
    open: state.open.filter((who) => remaining.has(who) || isInvolved(who)),
    // The last one answers whoever names no token.
    spent: state.spent.filter(({ who }, index) => remaining.has(who) || index === state.spent.length - 1),
    answered: state.answered.filter(({ who }) => remaining.has(who)),
  };
}

export function withSession(state: ModelState, who: Identity): ModelState {
  return state.open.includes(who) ? state : { ...state, open: [...state.open, who].sort() };
}

/** A session that ends leaves the queue and loses what it held. */
export function withoutSession(state: ModelState, who: Identity): ModelState {
  const left = {
    ...state,
    open: state.open.filter((one) => one !== who),
    queue: state.queue.filter((waiter) => waiter.who !== who),
  };
  return left.holder?.who === who ? handOn(left, 'lost') : left;
}

/** Ends the hold and grants the head of the queue, who does not know of it yet. */
export function handOn(state: ModelState, end: Spent['end']): ModelState {
  return grantNext(ended(state, end));
}

function ended(state: ModelState, end: Spent['end']): ModelState {
  if (!state.holder) return state;
  const { who, type, token } = state.holder;
  return { ...state, holder: undefined, spent: [...state.spent, { who, type, token, end }] };
}

function grantNext(state: ModelState): ModelState {
  const [head, ...queue] = state.queue;
  if (state.holder || !head || state.recoversMs !== undefined) return state;
  const { who, type } = head;
  return granted({ ...state, queue }, { who, type }, false);
}

export function granted(state: ModelState, { who, type }: Claimant, isClaimed: boolean): ModelState {
  const holder = { who, type, token: undefined, isClaimed, sinceMs: state.nowMs };
  return { ...state, holder, wasHeld: true };
}

/** All is forgotten, but that tokens go on upwards. */
export function restarted({ nowMs, lastToken }: ModelState, recoveryMs: number): ModelState {
  return { ...firstState, nowMs, lastToken, hasForgotten: true, recoversMs: nowMs + recoveryMs };
}

/** Those who came back stand in line as before; from here on all is as ever. */
export function recovered(state: ModelState): ModelState {
  const inLine = state.queue.toSorted((one, other) => (one.former ?? 0) - (other.former ?? 0));
  const queue = inLine.map(({ former: _, ...waiter }) => waiter);
  return grantNext({ ...state, queue, recoversMs: undefined });
}

/** Ends the hold as its owner says, and answers those for whom that is the answer. */
export function finish(
  state: ModelState,
  ending: Ended,
  moment: Moment,
  contentFailureMs: number,
): ModelState {
  const { holder } = state;
  if (!holder) return state;
  const left = ended(state, ending === 'success' ? 'success' : 'failure');
  if (ending === 'success') return grantNext(succeeded(left, holder.type, moment));
  return grantNext(ending === 'content' ? contentFailed(left, moment, contentFailureMs) : left);
}

function succeeded(state: ModelState, type: OperationType, moment: Moment): ModelState {
  if (type === 'update') return { ...state, content: undefined, refused: undefined };
  const waiting = state.queue.filter((waiter) => waiter.type !== type);
  if (type === 'pull')
    return { ...state, queue: waiting, done: moment, content: undefined, refused: undefined };
  const answered = state.queue.filter((waiter) => waiter.type === type);
  return { ...state, queue: waiting, done: undefined, answered: [...state.answered, ...answered] };
}

function contentFailed(state: ModelState, moment: Moment, keptMs: number): ModelState {
  const queue = state.queue.filter(({ type }) => type === 'delete');
  const { content } = state;
  if (!content || !mayBeFresh(content, keptMs, moment)) return { ...state, queue, content: moment };
  const isSure = !mayBeStale(content, keptMs, moment);
  const refused = isSure ? moment : { ...moment, afterMs: Number.NEGATIVE_INFINITY };
  return { ...state, queue, content: moment, refused };
}

/** Whether something of `past` may still count at `now`, when it counts for `keptMs`. */
export function mayBeFresh(past: Moment, keptMs: number, now: Moment): boolean {
  return now.afterMs < past.beforeMs + keptMs;
}

export function mayBeStale(past: Moment, keptMs: number, now: Moment): boolean {
  return now.beforeMs >= past.afterMs + keptMs;
}

/** The state in which the holder's token is this one; undefined where it cannot be. */
export function withToken(state: ModelState, token: number): ModelState | undefined {
  const { holder, lastToken } = state;
  if (!holder || holder.token === token) return holder && state;
  if (holder.token !== undefined || token <= lastToken) return undefined;
  return { ...state, holder: { ...holder, token }, lastToken: token };
}
