import type { Digest } from '../../core/digest.ts';
import type { SessionId } from '../../core/ids.ts';
import type { Source } from '../locks.ts';
import type { Hold, MachineState, Session } from './state.ts';

/** All that have one digest, or are getting it, over all domains. */
export interface Swarm {
  readonly resourceId: Digest;
  readonly members: Map<SessionId, Member>;
  /** By the session that is said to serve badly. Absent while nobody complained: there are many swarms. */
  troubles: Map<SessionId, Trouble> | undefined;
}

/** One session in a swarm: it reads, or has all, or both at the end. */
export interface Member {
  readonly swarm: Swarm;
  readonly session: Session;
  /** Counts upwards: ties go to who came first. */
  readonly arrival: number;
  /** Its pull, while there is one. */
  reading: Hold | undefined;
  /** It has the whole resource, and serves it if it serves anything. */
  isComplete: boolean;
  parent: Parent;
  /** Who reads from it. Absent for most: there are many copies. */
  children: Set<Member> | undefined;
  /** Since when anybody reads from it. */
  servingMs: number;
  /** When it was told last where to read. */
  movedMs: number;
  /** At this offset it complained of a source that had no more itself, and was told to wait. */
  starvedAt: number | undefined;
}

/**
 * Where a member reads. `unknown`: where it read before the service restarted. `none`: it does not read, or it is
 * decided right now.
 */
export type Parent = Member | 'registry' | 'unknown' | 'none';

/** What was said of one source. */
export interface Trouble {
  /** By the domain that complained, with the time. */
  readonly reports: Map<string, number>;
  bannedUntilMs: number;
}

/** A session among those that serve and read. */
export interface Peer {
  readonly members: Map<Digest, Member>;
  /** How many read from it, over all digests. */
  children: number;
  /** How many digests it reads from the registry. */
  origins: number;
  isDraining: boolean;
  /** Its session ended. */
  isGone: boolean;
  /** Copies were dropped because there were too many, and it was said. */
  isOverfull: boolean;
  /** When anybody complained of it last, over all digests. */
  blamedMs: number;
}

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
    parent: 'none',
    children: undefined,
    servingMs: 0,
    movedMs: 0,
    starvedAt: undefined,
  };
  state.nextMember += 1;
  swarm.members.set(session.id, member);
  session.peer.members.set(resourceId, member);
  return member;
}

function swarmFor(state: MachineState, resourceId: Digest): Swarm {
  const known = state.swarms.get(resourceId);
  if (known) return known;
  const swarm: Swarm = { resourceId, members: new Map(), troubles: undefined };
  state.swarms.set(resourceId, swarm);
  return swarm;
}

/** Takes it off the books. Nobody reads from it any more, and it reads nothing. */
export function forgetMember(state: MachineState, { swarm, session }: Member): void {
  swarm.members.delete(session.id);
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

/** What a reader is told. */
export function sourceOf({ parent }: Member): Source {
  const url = isMember(parent) ? parent.session.opened.url : undefined;
  if (!isMember(parent) || url === undefined) return { kind: 'registry' };
  const { id, nodeId } = parent.session;
  return { kind: 'peer', url, sessionId: id, nodeId, complete: parent.isComplete };
}
