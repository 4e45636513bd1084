import type { Token } from '../../core/ids.ts';
import type { Step } from './events.ts';
import type { Hold, Lock, MachineState, Spent } from './state.ts';

/** Spent tokens kept per lock: far more than repeats that cross on the way. */
const maxSpent = 100;

/** Notes how a token ended, so that a release that comes twice is answered alike. */
export function spend(state: MachineState, lock: Lock, hold: Hold, end: Spent['end'], step: Step): void {
  const { identity, type, token } = hold;
  const one: Spent = { identity, type, token, end, atMs: step.nowMs };
  forgetOld(state, lock, step);
  lock.spent.set(token, one);
  lock.lastSpent = one;
  step.changes.push({ kind: 'spent', lock, token });
}

function forgetOld({ options }: MachineState, lock: Lock, step: Step): void {
  for (const [token, { atMs }] of lock.spent) {
    if (lock.spent.size < maxSpent && step.nowMs - atMs < options.repeatMs) return;
    forgetSpent(lock, token, step);
  }
}

export function forgetSpent(lock: Lock, token: Token, { changes }: Step): void {
  if (lock.spent.delete(token)) changes.push({ kind: 'spent', lock, token });
}
