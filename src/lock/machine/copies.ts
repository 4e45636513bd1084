import type { Digest } from '../../core/digest.ts';
import type { Announcement } from '../locks.ts';
import { type Step, viewOf } from './events.ts';
import { abandon } from './origins.ts';
import type { MachineState, Session } from './state.ts';
import { findMember, forgetMember, type Member, memberFor } from './swarm.ts';

/** What a node says that it has, and has no longer. */
export function announce(
  state: MachineState,
  session: Session,
  { add, remove }: Announcement,
  step: Step,
): void {
  for (const digest of remove) {
    const member = findMember(session, digest);
    if (member) dropCopy(state, member, step);
  }
  for (const digest of add) addCopy(state, session, digest, step);
}

/** The session has all of it. One without a url serves nobody, so nothing is kept of what it has. */
export function addCopy(state: MachineState, session: Session, digest: Digest, step: Step): void {
  if (session.opened.url === undefined) return;
  if (session.peer.members.size >= state.options.maxCopies && !findMember(session, digest)) {
    refuseCopy(state, session, digest, step);
    return;
  }
  const member = memberFor(state, session, digest);
  if (!member.isComplete) member.completeMs = step.nowMs;
  member.isComplete = true;
}

function refuseCopy({ options }: MachineState, session: Session, resourceId: Digest, step: Step): void {
  const { id: sessionId, nodeId, domain, peer } = session;
  if (peer.isOverfull) return;
  peer.isOverfull = true;
  const reason = `it has more than ${options.maxCopies} copies: nobody is sent to it for the others`;
  const who = viewOf({ nodeId, sessionId });
  step.events.push({ kind: 'log', what: 'overfull', who, type: 'pull', resourceId, domain, reason });
}

/** It has not all of it any more: whoever read it there is told where to go on. */
export function dropCopy(state: MachineState, member: Member, step: Step): void {
  if (!member.isComplete) return;
  member.isComplete = false;
  leaveIfIdle(state, member, step);
  if (member.reading) abandon(state, member, step);
}

/** The copies of one store. */
export function dropCopies(state: MachineState, digest: Digest, domain: string, step: Step): void {
  const members = state.swarms.get(digest)?.members;
  const store = state.stores.get(domain);
  if (!members || !store) return;
  // Whichever are fewer: a swarm may be large, and so may the domain of those that name no store.
  const ids = members.size < store.size ? members.keys() : [...store].map(({ id }) => id);
  for (const id of [...ids]) {
    const member = members.get(id);
    if (member?.session.domain === domain) dropCopy(state, member, step);
  }
}

/** Nothing is read or served there any more. */
export function leaveIfIdle(state: MachineState, member: Member, step: Step): void {
  if (member.isComplete || member.reading) return;
  forgetMember(state, member);
  abandon(state, member, step);
}
