import { callListener, type Step, tellClaimant, tellLog } from './events.ts';
import {
  type Claimant,
  type Farewell,
  type Lock,
  type MachineState,
  placeKey,
  type Waiter,
} from './state.ts';
import { holderInFront, positionOf } from './views.ts';

/** Farewells kept per lock: the oldest go first. */
const maxFarewells = 1_000;

export function takePlace(state: MachineState, waiter: Waiter, step: Step): void {
  const { lock, sessionId } = waiter;
  lock.queue.add(waiter);
  state.nextArrival = waiter.arrival + 1;
  step.changes.push({ kind: 'waiter', waiter });
  // A queue is behind a holder, whose grant was noted, except while the service recovers.
  if (!lock.holder) step.changes.push({ kind: 'lock', lock });
  if (sessionId) state.sessions.get(sessionId)?.places.add(waiter);
  else state.timedPlaces.add(waiter);
  const position = positionOf(waiter);
  tellLog(lock, 'queued', waiter, { position }, step);
  tellClaimant(lock, waiter, { kind: 'queued', position, ...holderInFront(lock) }, step);
}

export function leavePlace(state: MachineState, waiter: Waiter, step: Step): void {
  const { lock, sessionId } = waiter;
  lock.queue.remove(waiter);
  step.changes.push({ kind: 'waiter', waiter });
  if (sessionId) state.sessions.get(sessionId)?.places.delete(waiter);
  else state.timedPlaces.delete(waiter);
  step.moved.add(lock);
}

/** Notes for a client that polls or listens why its place is gone; a session is told by its stream. */
export function sayFarewell(lock: Lock, who: Claimant, why: Farewell['why'], step: Step): void {
  const { farewells } = lock;
  const key = placeKey(who);
  forgetFarewell(lock, key, step);
  farewells.set(key, { who, why });
  step.changes.push({ kind: 'farewell', lock, key });
  const [oldest] = farewells.keys();
  if (farewells.size > maxFarewells && oldest !== undefined) forgetFarewell(lock, oldest, step);
}

export function forgetFarewell(lock: Lock, key: string, { changes }: Step): void {
  if (lock.farewells.delete(key)) changes.push({ kind: 'farewell', lock, key });
}

/** A client without a session was not heard of for too long. If it comes back, it gets a place at the end. */
export function lapse(state: MachineState, waiter: Waiter, step: Step): void {
  leavePlace(state, waiter, step);
  sayFarewell(waiter.lock, waiter, { kind: 'lapsed' }, step);
  callListener(waiter.lock, waiter, step);
}

export function leaveAll(
  state: MachineState,
  lock: Lock,
  isMeant: (waiter: Waiter) => boolean,
  step: Step,
): Waiter[] {
  const leaving = [...lock.queue].filter(isMeant);
  for (const waiter of leaving) leavePlace(state, waiter, step);
  return leaving;
}
