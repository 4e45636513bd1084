import { messageOf } from '../../../../core/errors.ts';
import type { Command, CommandOf, Replies } from '../../../machine/commands.ts';
import type { MachineEvent } from '../../../machine/events.ts';
import { step } from '../../../machine/step.ts';
import { fold, foldText } from './check.ts';
import type { ClusterState } from './cluster.ts';
import { forgetNodes, forgetSession, hearHomes } from './seats.ts';

/** The answer to a command that could not be carried out. */
export interface Failed {
  readonly kind: 'failed-command';
  /** Half a sentence for a log. */
  readonly message: string;
}

export type Reply = Replies[Command['kind']] | Failed;

/**
 * Hears of each step right after it, before the next one.
 *
 * @param index of the command in its entry; -1 for what time did, and what the replica did by itself
 */
export type Heard = (index: number, reply: Reply, events: readonly MachineEvent[]) => void;

/** What one step answered and told. */
export interface Outcome {
  readonly reply: Reply;
  readonly events: readonly MachineEvent[];
}

/** Steps of which no client asked for one are told under this number. */
export const ownIndex = -1;

export function isFailed(reply: Reply): reply is Failed {
  return reply !== undefined && 'kind' in reply && reply.kind === 'failed-command';
}

export function failed(message: string): Outcome {
  return { reply: { kind: 'failed-command', message }, events: [] };
}

/** One step of the machine at the time of the cluster. Never throws: what fails does so alike for all replicas. */
export function perform(cluster: ClusterState, command: Command): Outcome {
  const outcome = attempt(cluster, command);
  for (const event of outcome.events)
    if (event.kind === 'session-ended') forgetSession(cluster, event.sessionId);
  return outcome;
}

function attempt({ machine, atMs }: ClusterState, command: Command): Outcome {
  try {
    const { reply, events } = step(machine, command as CommandOf<Command['kind']>, atMs);
    return { reply, events };
  } catch (error) {
    return failed(messageOf(error));
  }
}

/** Folds what was answered into the check, and tells it. */
export function tell(cluster: ClusterState, index: number, { reply, events }: Outcome, heard: Heard): void {
  const kind = reply !== undefined && 'kind' in reply ? reply.kind : '';
  cluster.check = foldText(fold(cluster.check, events.length), kind);
  heard(index, reply, events);
}

/** Sessions that a live server hears are heard; the time to live counts for the others. */
export function tick(cluster: ClusterState, heard: Heard): void {
  hearHomes(cluster);
  cluster.tickedMs = cluster.atMs;
  tell(cluster, ownIndex, perform(cluster, { kind: 'tick' }), heard);
  forgetNodes(cluster);
}
