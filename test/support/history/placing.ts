import { describeAnswer, describeModelAnswer, describeState } from './describe.ts';
import { type ModelAnswer, type Possibility, possibilities, standingOf } from './model.ts';
import { type Claimant, isKnown, isSame, type ModelState, type Moment, withToken } from './model-state.ts';
import type { Answer, News, Operation, Place, ServerTimes, Standing } from './operations.ts';

export interface Placed {
  readonly states: readonly ModelState[];
  /** Where there is no state: why not. */
  readonly problem: string;
}

/**
 * Lets an operation happen in this state, at a time in `moment`: the states in which the service may be afterwards, or
 * why it cannot have answered as it did. Without an answer everything that the operation may change counts.
 */
export function place(before: ModelState, operation: Operation, moment: Moment, times: ServerTimes): Placed {
  const state = { ...before, nowMs: moment.afterMs };
  const { who, request, answer } = operation;
  if (request.kind === 'told') return placed(heard(state, who, request.news), state, 'nothing of it is so');
  const found = possibilities(state, who, request, moment, times);
  if (!answer)
    return placed(
      found.map((one) => one.state),
      state,
      '',
    );
  const states = found.flatMap((one) => agree(one, answer));
  const expected = found.map((one) => describeModelAnswer(one.answer)).join(' or ') || 'no answer yet';
  return placed(states, state, `expected ${expected}, not ${describeAnswer(answer)}`);
}

function placed(states: readonly ModelState[], state: ModelState, why: string): Placed {
  return { states, problem: states.length > 0 ? '' : `${describeState(state)}: ${why}` };
}

/** The model's state after this answer, with what the answer tells about tokens; none where they differ. */
function agree({ answer: expected, state }: Possibility, answer: Answer): ModelState[] {
  if (expected.kind === 'standing' && answer.kind === 'standing')
    return agreeOnStanding(state, expected, answer.standing);
  if (expected.kind === 'granted' && answer.kind === 'granted') return known(withToken(state, answer.token));
  if (expected.kind === 'queued' && answer.kind === 'queued')
    return isSamePlace({ type: 'pull', ...expected }, { type: 'pull', ...answer }) ? [state] : [];
  return expected.kind === answer.kind ? [state] : [];
}

function agreeOnStanding(
  state: ModelState,
  { holds, queued }: Extract<ModelAnswer, { kind: 'standing' }>,
  told: Standing,
): ModelState[] {
  const placesAgree =
    queued.length === told.queued.length &&
    queued.every((one) => told.queued.some((other) => isSamePlace(one, other)));
  const [claim, ...more] = told.granted;
  if (!placesAgree || more.length > 0 || holds?.type !== claim?.type) return [];
  return claim ? known(withToken(state, claim.token)) : [state];
}

function isSamePlace(one: Place, other: Place): boolean {
  return one.type === other.type && one.position === other.position && one.holder === other.holder;
}

const known = (state: ModelState | undefined): ModelState[] => (state ? [state] : []);

/** What a stream tells was so at some time since the stream was opened. */
function heard(state: ModelState, who: string, news: News): ModelState[] {
  if (news.kind === 'snapshot') {
    const expected = standingOf(state, who);
    return isKnown(state, who)
      ? agree({ answer: expected, state }, { kind: 'standing', standing: news.standing })
      : [];
  }
  const claimant = { who, type: news.type };
  if (news.kind === 'granted') {
    const holds = state.holder !== undefined && isSame(state.holder, claimant);
    return holds ? known(withToken(state, news.token)) : [];
  }
  if (news.kind === 'revoked') return spentAs(state, claimant, news.token);
  if (news.kind === 'failed') return state.content ? [state] : [];
  const isAnswered =
    news.type === 'pull' ? state.done !== undefined : state.answered.some((one) => isSame(one, claimant));
  return isAnswered ? [state] : [];
}

/** The hold of this token is over; where its token was not known, it is now. */
function spentAs(state: ModelState, claimant: Claimant, token: number): ModelState[] {
  const own = state.spent.filter((one) => isSame(one, claimant));
  if (own.some((one) => one.token === token)) return [state];
  if (state.hasForgotten && token <= state.lastToken && state.holder?.token !== token) return [state];
  return own
    .filter((one) => one.token === undefined)
    .map((nameless) => ({
      ...state,
      spent: state.spent.map((one) => (one === nameless ? { ...one, token } : one)),
    }));
}
