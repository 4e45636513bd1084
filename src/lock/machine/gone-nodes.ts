import type { NodeId } from '../../core/ids.ts';
import { nodeIdentity } from './callers.ts';
import type { Step } from './events.ts';
import { reclaim } from './grant.ts';
import type { Identity, Lock, MachineState } from './state.ts';

/** A client that closed its last connection may have died. Nothing is noted of one that holds nothing. */
export function nodeGone(state: MachineState, nodeId: NodeId, { nowMs }: Step): undefined {
  if (heldBy(state, nodeIdentity(nodeId)).length > 0) state.goneNodes.set(nodeId, nowMs);
  return undefined;
}

/** Whoever did not come back within the grace has failed. */
export function freeGoneNodes(state: MachineState, step: Step): void {
  const { nodeGraceMs } = state.options;
  for (const [nodeId, sinceMs] of state.goneNodes) {
    if (step.nowMs - Math.max(sinceMs, state.resumedMs) < nodeGraceMs) continue;
    state.goneNodes.delete(nodeId);
    for (const lock of heldBy(state, nodeIdentity(nodeId))) {
      if (lock.holder) reclaim(state, lock, lock.holder, 'its connections were closed', step);
    }
  }
}

/** Locks without a session are all among those that time can end. */
function heldBy({ timedHolds }: MachineState, identity: Identity): Lock[] {
  return [...timedHolds].filter(({ holder }) => holder?.identity === identity);
}
