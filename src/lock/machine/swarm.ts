import type { Digest } from '../../core/digest.ts';
import type { Source } from '../locks.ts';
import type { Member, Parent, Peer, Session, Swarm } from './model.ts';
import type { MachineState } from './state.ts';

export type { Member, Parent, Peer, Swarm, Trouble } from './model.ts';

export function createPeer(): Peer {
  return {
    members: new Map(),
    children: 0,
    origins: 0,
    isDraining: false,
    isGone: false,
    isOverfull: false,
    blamedMs: Number.NEGATIVE_INFINITY,
  };
}

export function findMember(session: Session, resourceId: Digest): Member | undefined {
  return session.peer.members.get(resourceId);
}

export function memberFor(state: MachineState, session: Session, resourceId: Digest): Member {
  const known = findMember(session, resourceId);
  if (known) return known;
  const swarm = swarmFor(state, resourceId);
  const member: Member = {
    swarm,
    session,
    arrival: state.nextMember,
    reading: undefined,
    isComplete: false,
    completeMs: 0,
    parent: 'none',
    children: undefined,
    servingMs: 0,
    movedMs: 0,
    starvedAt: undefined,
    restarts: 0,
    isSpoilt: false,
    isWaiting: false,
  };
  state.nextMember += 1;
  swarm.members.set(session.id, member);
  swarm.vacant.add(member);
  session.peer.members.set(resourceId, member);
  return member;
}

function swarmFor(state: MachineState, resourceId: Digest): Swarm {
  const known = state.swarms.get(resourceId);
  if (known) return known;
  const { fanOut } = state.options;
  const swarm = { resourceId, members: new Map(), vacant: new Set<Member>(), fanOut, troubles: undefined };
  state.swarms.set(resourceId, swarm);
  return swarm;
}

/** Takes it off the books. Nobody reads from it any more, and it reads nothing. */
export function forgetMember(state: MachineState, member: Member): void {
  const { swarm, session } = member;
  swarm.members.delete(session.id);
  swarm.vacant.delete(member);
  session.peer.members.delete(swarm.resourceId);
  if (swarm.members.size === 0) state.swarms.delete(swarm.resourceId);
}

export function childrenOf({ children }: Member): readonly Member[] {
  return children ? [...children] : [];
}

export function offsetOf({ isComplete, reading }: Member): number {
  return isComplete ? Number.POSITIVE_INFINITY : (reading?.offset ?? 0);
}

export function isMember(parent: Parent): parent is Member {
  return typeof parent === 'object';
}

/** Whether the service knows where it reads. */
export function isTold(parent: Parent): boolean {
  return parent !== 'none' && parent !== 'unknown';
}

/** What a reader is told. */
export function sourceOf({ parent }: Member): Source {
  const url = isMember(parent) ? parent.session.opened.url : undefined;
  if (!isMember(parent) || url === undefined) return { kind: 'registry' };
  const { id, nodeId } = parent.session;
  return { kind: 'peer', url, sessionId: id, nodeId, complete: parent.isComplete };
}
