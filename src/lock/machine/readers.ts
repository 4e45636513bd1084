import type { Source } from '../locks.ts';
import { addCopy, dropCopies, dropCopy, leaveIfIdle } from './copies.ts';
import type { Step } from './events.ts';
import { abandon, place, takeRole, tellSource } from './origins.ts';
import type { Hold, Lock, MachineState, Session } from './state.ts';
import {
  childrenOf,
  findMember,
  forgetMember,
  isMember,
  type Member,
  memberFor,
  offsetOf,
  sourceOf,
} from './swarm.ts';
import { attach, depthOf, detach } from './tree.ts';

/** So long without a byte is a pause, in milliseconds: whoever reads notices it a second later. */
const pauseMs = 4_000;

const fromRegistry: Source = { kind: 'registry' };

/** Where a holder reads; decided when it asks first. */
export function readingFrom(state: MachineState, lock: Lock, hold: Hold, step: Step): Source {
  const session = sessionOf(state, hold);
  if (!session) return fromRegistry;
  // It serves nobody, and nobody serves it: there is nothing to know of it.
  if (session.opened.url === undefined && !state.swarms.has(lock.resourceId)) return fromRegistry;
  return sourceOf(readerOf(state, session, lock, hold, step));
}

/** The holder of a pull as a reader. */
export function readerOf(state: MachineState, session: Session, lock: Lock, hold: Hold, step: Step): Member {
  const known = findMember(session, lock.resourceId);
  if (known?.reading === hold) return known;
  const member = memberFor(state, session, lock.resourceId);
  member.reading = hold;
  member.restarts = 0;
  member.isSpoilt = false;
  // Whoever holds the lock looked into the store before and did not find it there.
  dropCopies(state, lock.resourceId, lock.domain, step);
  place(state, member, step, true);
  takeRole(state, member, step);
  return member;
}

/** A pull from before a restart: where it reads is not known here, and it goes on there. */
export function goOnReading(state: MachineState, { resourceId }: Lock, hold: Hold, nowMs: number): void {
  const session = sessionOf(state, hold);
  if (!session || session.opened.url === undefined) return;
  const member = memberFor(state, session, resourceId);
  member.reading = hold;
  attach(member, 'unknown', nowMs);
}

/** Nobody without a session can be told anything, and only pulls have a choice. */
function sessionOf(state: MachineState, { sessionId, type }: Hold): Session | undefined {
  return sessionId && type === 'pull' ? state.sessions.get(sessionId) : undefined;
}

/** The pull is over. What is whole is a copy, and whoever read from it goes on there. */
export function stopReading(state: MachineState, lock: Lock, hold: Hold, isDone: boolean, step: Step): void {
  const session = sessionOf(state, hold);
  const member = session && findMember(session, lock.resourceId);
  if (!session || (member && member.reading !== hold)) return;
  if (member) {
    detach(member);
    member.reading = undefined;
  }
  if (isDone) addCopy(state, session, lock.resourceId, step);
  if (member) leaveIfIdle(state, member, step);
}

/** The session is gone, and with it all that it served. */
export function leaveSwarms(state: MachineState, session: Session, step: Step): void {
  for (const member of [...session.peer.members.values()]) {
    detach(member);
    member.swarm.troubles?.delete(session.id);
    forgetMember(state, member);
    abandon(state, member, step);
  }
}

/** The session serves elsewhere from here on, or not at all. */
export function moveUrl(state: MachineState, session: Session, step: Step): void {
  for (const member of [...session.peer.members.values()]) {
    if (session.opened.url !== undefined) {
      for (const child of childrenOf(member)) tellSource(child, step);
      continue;
    }
    dropCopy(state, member, step);
    abandon(state, member, step);
  }
}

/** What it reads and has is of another store from here on: that store must not wait for itself. */
export function changeStore(state: MachineState, session: Session, step: Step): void {
  const here = [...(state.stores.get(session.domain) ?? [])];
  const readers = here.flatMap(({ id, holds }) =>
    [...holds].flatMap(({ resourceId }) => state.swarms.get(resourceId)?.members.get(id) ?? []),
  );
  for (const reader of readers) {
    if (!reader.reading) continue;
    dropCopies(state, reader.swarm.resourceId, session.domain, step);
    const { parent } = reader;
    if (isMember(parent) && depthOf(parent, session.domain) === undefined) place(state, reader, step);
  }
}

/** It has all that its source has, or may take, so it is not to blame that nothing more comes. */
export function isStarved(state: MachineState, lock: Lock, hold: Hold): boolean {
  const session = sessionOf(state, hold);
  const member = session && findMember(session, lock.resourceId);
  if (!member || !isMember(member.parent)) return false;
  return member.isWaiting || offsetOf(member.parent) <= offsetOf(member);
}

/** Tells how far a holder is. */
export function advance(hold: Hold, offset: number, { nowMs }: Step): void {
  if (offset > hold.offset) {
    if (nowMs - hold.progressedMs >= pauseMs) hold.flowingMs = nowMs;
    hold.progressedMs = nowMs;
  }
  hold.offset = offset;
}
