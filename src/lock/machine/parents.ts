import type { MachineState } from './state.ts';
import { isMember, type Member, offsetOf } from './swarm.ts';
import { depthOf } from './tree.ts';
import { isBanned, isReportedBy } from './troubles.ts';

/** Smaller is better, the first that differs decides. */
type Rank = readonly number[];

/**
 * From whom a reader should read: one without complaints and with room, then a complete copy, then one of its zone, then
 * the shallowest, then who serves the fewest. Where nobody has room, one who has none serves one more: that is better
 * than asking the registry again.
 *
 * @param isAhead only somebody who has more than the reader has
 */
export function bestParent(
  state: MachineState,
  reader: Member,
  nowMs: number,
  isAhead = false,
): Member | undefined {
  let best: { readonly member: Member; readonly rank: Rank } | undefined;
  for (const member of reader.swarm.members.values()) {
    if (!canServe(state, member, nowMs) || !mayReadFrom(state, reader, member, nowMs)) continue;
    if (isAhead ? offsetOf(member) <= offsetOf(reader) : !isLevel(member, reader)) continue;
    const depth = depthOf(member, reader.session.domain);
    if (depth === undefined) continue;
    const rank = rankOf(state, member, reader, depth, nowMs);
    if (!best || isBefore(rank, best.rank)) best = { member, rank };
  }
  return best?.member;
}

/** Whether others may be sent there at all. */
export function canServe(state: MachineState, member: Member, nowMs: number): boolean {
  const { peer, opened } = member.session;
  if (opened.url === undefined || peer.isDraining || peer.isGone) return false;
  return (member.isComplete || member.reading !== undefined) && !isBanned(state, member, nowMs);
}

export function mayReadFrom(state: MachineState, reader: Member, member: Member, nowMs: number): boolean {
  const { domain } = reader.session;
  return member.session.domain !== domain && !isReportedBy(state, member, domain, nowMs);
}

/** Who reads the registry passes everybody in time; of all others only who has as much already can serve. */
function isLevel(member: Member, reader: Member): boolean {
  return !isMember(member.parent) || offsetOf(member) >= offsetOf(reader);
}

function rankOf(state: MachineState, member: Member, reader: Member, depth: number, nowMs: number): Rank {
  const { peer, opened, cutMs } = member.session;
  const { banMs, fanOut } = state.options;
  const children = member.children?.size ?? 0;
  const { zone } = reader.session.opened;
  return [
    Number(nowMs - peer.blamedMs < banMs || cutMs !== undefined),
    Number(children >= fanOut),
    Number(!member.isComplete),
    Number(zone !== opened.zone),
    depth,
    children,
    peer.children,
    member.arrival,
  ];
}

function isBefore(one: Rank, other: Rank): boolean {
  const at = one.findIndex((value, index) => value !== other[index]);
  return (one[at] ?? 0) < (other[at] ?? 0);
}
