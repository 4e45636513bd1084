import type { MachineState } from './state.ts';
import { type Member, offsetOf } from './swarm.ts';
import { depthOf } from './tree.ts';
import { isBanned, isReportedBy } from './troubles.ts';

/** Smaller is better, the first that differs decides. */
type Rank = readonly number[];

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
  let best: { readonly member: Member; readonly rank: Rank } | undefined;
  for (const member of reader.swarm.members.values()) {
    if (!canServe(state, member, nowMs) || !mayReadFrom(state, reader, member, nowMs)) continue;
    if (isAhead && offsetOf(member) <= offsetOf(reader)) continue;
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

function rankOf(state: MachineState, member: Member, reader: Member, depth: number, nowMs: number): Rank {
  const { peer, opened, cutMs } = member.session;
  const { banMs, fanOut } = state.options;
  const children = member.children?.size ?? 0;
  const missing = member.isComplete ? 0 : Math.max(0, offsetOf(reader) - offsetOf(member));
  const { zone } = reader.session.opened;
  return [
    Number(nowMs - peer.blamedMs < banMs || cutMs !== undefined),
    Number(missing > 0),
    Number(children >= fanOut),
    missing,
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
