import type { AcquireReply, OperationType } from '../locks.ts';
import type { Step } from './events.ts';
import type { Lock, MachineState } from './state.ts';

type Refusal = Extract<AcquireReply, { kind: 'refused' }>;

/** Why a request that is neither known nor done gets no lock and no place. */
export function refusalOf(
  state: MachineState,
  lock: Lock,
  type: OperationType,
  step: Step,
): Refusal | undefined {
  return refuseContent(lock, type, step) ?? refuseTaken(state, lock) ?? refuseFull(state, lock);
}

/** A delete does not read the content, so what is wrong with that does not stop it. */
function refuseContent(lock: Lock, type: OperationType, { nowMs }: Step): Refusal | undefined {
  const { contentFailure, refusedUntilMs } = lock;
  if (type === 'delete' || !contentFailure || nowMs >= refusedUntilMs) return undefined;
  return { kind: 'refused', reason: 'content', message: contentFailure.error };
}

function refuseTaken({ options }: MachineState, { holder }: Lock): Refusal | undefined {
  if (options.queueing || !holder) return undefined;
  return {
    kind: 'refused',
    reason: 'taken',
    message: `${holder.nodeId} holds the lock and there is no queue`,
  };
}

function refuseFull(state: MachineState, lock: Lock): Refusal | undefined {
  const { maxQueue, maxResources } = state.options;
  if (lock.queue.size >= maxQueue) return full(`${maxQueue} wait for this resource already`);
  if (!hasRoomFor(state, lock)) return full(`${maxResources} resources are in use already`);
  return undefined;
}

/** Whether it is in use already, or one more may be. */
export function hasRoomFor({ options, active }: MachineState, lock: Lock): boolean {
  return active.has(lock) || active.size < options.maxResources;
}

function full(message: string): Refusal {
  return { kind: 'refused', reason: 'limit', message };
}
