import type { MachineState } from './state.ts';
import { isMember, type Member, offsetOf } from './swarm.ts';
import { depthOf } from './tree.ts';
import { isBanned, isKnownWrong, isQuiet, isReportedBy } from './troubles.ts';

/** How good a source is; smaller is better, and what stands first decides. */
interface Rank {
  /** Complaints, then too little, then no room. */
  readonly flaws: number;
  /** Bytes that the reader has and it has not. */
  readonly missing: number;
  /** In the making, then of another zone. */
  readonly kind: number;
  readonly depth: number;
  readonly children: number;
  readonly load: number;
}

/** Among so many that are alike the shallowest is looked for: in a large fleet the first ones are about that. */
const maxAlike = 64;
/** Once one was found of which nothing is wrong, so many more are looked at: asking must not cost more and more. */
const maxLooks = 500;

/**
 * From whom a reader should read: one without complaints, who has as much already, with room; then a complete copy, then
 * one of its zone, then the shallowest, then who serves the fewest. Where nobody has room, one who has none serves one
 * more, and where nobody has as much, the reader waits for whoever has the most: what is known of offsets is a second
 * old, and both are better than to ask the registry for the same again.
 *
 * @param isAhead only somebody who has more than the reader has
 */
export function bestParent(
  state: MachineState,
  reader: Member,
  nowMs: number,
  isAhead = false,
): Member | undefined {
  const { vacant, members } = reader.swarm;
  const best = bestOf(state, vacant, reader, nowMs, isAhead);
  return (best?.rank.flaws === 0 ? best : bestOf(state, members.values(), reader, nowMs, isAhead))?.member;
}

interface Candidate {
  readonly member: Member;
  readonly rank: Rank;
}

function bestOf(
  state: MachineState,
  members: Iterable<Member>,
  reader: Member,
  nowMs: number,
  isAhead: boolean,
): Candidate | undefined {
  let best: Candidate | undefined;
  let [alike, looks] = [0, 0];
  for (const member of members) {
    if (best?.rank.flaws === 0) looks += 1;
    if (looks > maxLooks) break;
    if (isAhead && offsetOf(member) <= offsetOf(reader)) continue;
    if (!canServe(state, member, nowMs) || !mayReadFrom(state, reader, member, nowMs)) continue;
    const rank = rankOf(state, member, reader, nowMs);
    const order = best ? compareKinds(rank, best.rank) : -1;
    if (order > 0 || (order === 0 && alike >= maxAlike)) continue;
    const depth = depthOf(member, reader.session.domain);
    if (depth === undefined) continue;
    alike = order < 0 ? 1 : alike + 1;
    const whole = { ...rank, depth };
    if (!best || order < 0 || comparePlaces(whole, best.rank) < 0) best = { member, rank: whole };
  }
  return best;
}

/** Whether others may be sent there at all. */
export function canServe(state: MachineState, member: Member, nowMs: number): boolean {
  return !member.session.peer.isDraining && isThere(state, member, nowMs);
}

function isThere(state: MachineState, member: Member, nowMs: number): boolean {
  const { peer, opened } = member.session;
  if (opened.url === undefined || peer.isGone) return false;
  return (member.isComplete || member.reading !== undefined) && !isBanned(state, member, nowMs);
}

/**
 * Who may be read rather than the registry where nobody else has it: a copy of a node that is about to end, and has not
 * ended yet. Of several the one that serves the fewest.
 */
export function lastParent(state: MachineState, reader: Member, nowMs: number): Member | undefined {
  const able = [...reader.swarm.members.values()].filter(
    (member) =>
      member.isComplete &&
      isThere(state, member, nowMs) &&
      mayReadFrom(state, reader, member, nowMs) &&
      !isQuiet(state, member.session, nowMs),
  );
  const load = ({ session }: Member) => session.peer.children;
  return able.sort((one, other) => load(one) - load(other))[0];
}

export function mayReadFrom(state: MachineState, reader: Member, member: Member, nowMs: number): boolean {
  const { domain } = reader.session;
  if (member.session.domain === domain || isReportedBy(state, member, domain, nowMs)) return false;
  // Nothing makes the bytes of such a reader worse.
  return reader.isSpoilt || (mayTrust(reader, member) && !comesFromWrong(state, reader, member, nowMs));
}

/** So often a reader takes bytes that nobody could check yet, and no more often. */
const maxTrust = 2;

/**
 * Who had wrong bytes at second hand may have them from somebody who is about to find that out, and has not thrown them
 * away yet: nobody is trusted any more who has all bytes and has not published them. Who had them twice takes only what
 * is complete.
 */
function mayTrust({ restarts }: Member, { isComplete, isSpoilt, reading }: Member): boolean {
  if (isComplete || isSpoilt) return isComplete;
  if (restarts === 0) return true;
  const isVerifying = reading !== undefined && reading.total > 0 && reading.offset >= reading.total;
  return restarts < maxTrust && !isVerifying;
}

/** Whether the bytes come from a copy that is known to be wrong, at whatever hand. */
function comesFromWrong(state: MachineState, reader: Member, member: Member, nowMs: number): boolean {
  if (!member.swarm.troubles) return false;
  let at = member;
  while (!at.isComplete && isMember(at.parent)) at = at.parent;
  return at.isComplete && isKnownWrong(state, at, reader, nowMs);
}

function rankOf(state: MachineState, member: Member, reader: Member, nowMs: number): Omit<Rank, 'depth'> {
  const { options } = state;
  const { peer, opened, cutMs } = member.session;
  const { isComplete } = member;
  const children = member.children?.size ?? 0;
  const missing = isComplete ? 0 : Math.max(0, offsetOf(reader) - offsetOf(member));
  const isDoubtful = cutMs !== undefined || isQuiet(state, member.session, nowMs);
  const isBlamed = isDoubtful || nowMs - peer.blamedMs < options.banMs;
  const isElsewhere = reader.session.opened.zone !== opened.zone;
  return {
    flaws: Number(isBlamed) * 4 + Number(missing > 0) * 2 + Number(children >= options.fanOut),
    missing,
    kind: Number(!isComplete) * 2 + Number(isElsewhere),
    children,
    load: peer.children,
  };
}

function compareKinds(one: Omit<Rank, 'depth'>, other: Omit<Rank, 'depth'>): number {
  return one.flaws - other.flaws || one.missing - other.missing || one.kind - other.kind;
}

/** Of equals the first stays. */
function comparePlaces(one: Rank, other: Rank): number {
  return one.depth - other.depth || one.children - other.children || one.load - other.load;
}
