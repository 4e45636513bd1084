import type { OperationType } from '../../../src/lock/locks.ts';
import type { Ended } from './operations.ts';

/** What one client believes of one resource: it waits, or, with a token, it holds the lock. */
export interface Belief {
  readonly type: OperationType;
  readonly requestId: string;
  readonly token?: number | undefined;
  /** The place told last. */
  readonly position?: number | undefined;
}

/** How it ended a hold before. */
export interface Past {
  readonly type: OperationType;
  readonly token: number;
  readonly ended: Ended;
}

export type Choice =
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'acquire';
      readonly type: OperationType;
      readonly requestId: string;
      readonly force: boolean;
    }
  | {
      readonly kind: 'release';
      readonly type: OperationType;
      readonly token: number | undefined;
      readonly ended: Ended;
    }
  | { readonly kind: 'decline'; readonly type: OperationType; readonly token: number | undefined };

export interface Situation {
  readonly belief: Belief | undefined;
  readonly past: Past | undefined;
  /** A token that somebody was given. */
  readonly anyToken: number | undefined;
  readonly newRequestId: string;
}

/** Numbers in [0, 1). */
export type Random = () => number;

/** What a client does next about a resource: mostly what makes sense, and sometimes not. */
export function choose(random: Random, situation: Situation): Choice {
  const { belief } = situation;
  if (!belief) return chooseIdle(random, situation);
  return belief.token === undefined
    ? chooseWaiting(random, belief)
    : chooseHolding(random, belief, belief.token);
}

function chooseIdle(random: Random, { past, anyToken, newRequestId: requestId }: Situation): Choice {
  const type = oneOf<OperationType>(random, [
    [7, 'pull'],
    [1, 'update'],
    [2, 'delete'],
  ]);
  const acquire: Choice = { kind: 'acquire', type, requestId, force: random() < 0.2 };
  const stranger: Choice = { kind: 'release', type: 'pull', token: anyToken, ended: endedAs(random) };
  const again: Choice = past ? { kind: 'release', ...past } : stranger;
  const flipped: Choice = past ? { kind: 'release', ...past, ended: endedAs(random) } : stranger;
  return oneOf<Choice>(random, [
    [16, acquire],
    [1, stranger],
    [1, again],
    [1, flipped],
  ]);
}

function chooseWaiting(random: Random, { type, requestId }: Belief): Choice {
  return oneOf<Choice>(random, [
    [6, { kind: 'acquire', type, requestId, force: false }],
    [2, { kind: 'decline', type, token: undefined }],
    [4, { kind: 'nothing' }],
  ]);
}

function chooseHolding(random: Random, { type, requestId }: Belief, token: number): Choice {
  const ended = endedAs(random);
  return oneOf<Choice>(random, [
    [8, { kind: 'release', type, token, ended }],
    [1, { kind: 'release', type, token: undefined, ended }],
    [1, { kind: 'decline', type, token }],
    [1, { kind: 'acquire', type, requestId, force: false }],
    [4, { kind: 'nothing' }],
  ]);
}

function endedAs(random: Random): Ended {
  return oneOf<Ended>(random, [
    [4, 'success'],
    [6, 'node'],
    [1, 'content'],
  ]);
}

/** One of these, as likely as its weight. */
export function oneOf<T>(
  random: Random,
  weighted: readonly [readonly [number, T], ...(readonly [number, T])[]],
): T {
  let rest = random() * weighted.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, one] of weighted) {
    rest -= weight;
    if (rest < 0) return one;
  }
  return weighted[0][1];
}
