import { handOn, isSession, type ModelState, type Moment, recovered, withoutSession } from './model-state.ts';
import type { Absence, Identity, ServerTimes, Spans } from './operations.ts';

export interface Excuses {
  readonly times: ServerTimes;
  readonly absences: ReadonlyMap<Identity, Absence>;
}

/**
 * What the server may do by itself between two operations, at a time in `moment`: end a session that is out of touch,
 * pass on a grant that is not claimed, take a lock from a holder that stands still or whose node is gone, give up a
 * place nobody asks about; end its recovery after a restart. `missed` are sessions outside of holder and queue that it may have ended too.
 */
export function serverSteps(
  state: ModelState,
  missed: readonly Identity[],
  moment: Moment,
  excuses: Excuses,
): readonly ModelState[] {
  return [
    ...endOfRecovery(state, moment),
    ...lostSessions(state, missed, moment, excuses),
    ...lostHold(state, moment, excuses),
    ...lapsedPlaces(state, moment, excuses),
  ];
}

function endOfRecovery(state: ModelState, moment: Moment): ModelState[] {
  if (state.recoversMs === undefined) return [];
  const atMs = notBefore(state.recoversMs, moment);
  return atMs === undefined ? [] : [recovered({ ...state, nowMs: atMs })];
}

function lostSessions(
  state: ModelState,
  missed: readonly Identity[],
  moment: Moment,
  { absences }: Excuses,
): ModelState[] {
  const involved = new Set([...state.queue.map(({ who }) => who), ...missed]);
  if (state.holder) involved.add(state.holder.who);
  return [...involved].flatMap((who) => {
    const atMs = state.open.includes(who) ? firstTimeIn(absences.get(who)?.session, moment) : undefined;
    return atMs === undefined ? [] : [withoutSession({ ...state, nowMs: atMs }, who)];
  });
}

function lostHold(state: ModelState, moment: Moment, { times, absences }: Excuses): ModelState[] {
  const { holder, queue } = state;
  if (!holder) return [];
  const dues: (number | undefined)[] = [];
  if (!holder.isClaimed) dues.push(notBefore(holder.sinceMs + times.claimMs, moment));
  if (isSession(holder.who) && holder.type === 'pull' && queue.length > 0)
    dues.push(notBefore(holder.sinceMs + times.stallMs, moment));
  if (!isSession(holder.who)) dues.push(firstTimeIn(absences.get(holder.who)?.hold, moment));
  const known = dues.filter((due) => due !== undefined);
  return known.length === 0 ? [] : [handOn({ ...state, nowMs: Math.min(...known) }, 'lost')];
}

function lapsedPlaces(state: ModelState, moment: Moment, { absences }: Excuses): ModelState[] {
  return state.queue.flatMap((waiter) => {
    if (isSession(waiter.who)) return [];
    const atMs = firstTimeIn(absences.get(waiter.who)?.place, moment);
    if (atMs === undefined) return [];
    return [{ ...state, nowMs: atMs, queue: state.queue.filter((one) => one !== waiter) }];
  });
}

function notBefore(dueMs: number, { afterMs, beforeMs }: Moment): number | undefined {
  return dueMs <= beforeMs ? Math.max(dueMs, afterMs) : undefined;
}

function firstTimeIn(spans: Spans | undefined, { afterMs, beforeMs }: Moment): number | undefined {
  for (const [fromMs, toMs] of spans ?? []) {
    const atMs = Math.max(fromMs, afterMs);
    if (atMs < toMs && atMs <= beforeMs) return atMs;
  }
  return undefined;
}
