import { childrenOf, isMember, type Member, type Parent } from './swarm.ts';

/**
 * How many hands the bytes go through from the registry, or from a complete copy, to this member. Undefined where they
 * come from neither, or where they pass through this domain: a store never waits for itself.
 */
export function depthOf(member: Member, besides: string): number | undefined {
  let at = member;
  for (let depth = 0; ; depth += 1) {
    if (at.session.domain === besides) return undefined;
    if (at.isComplete || at.parent === 'registry' || at.parent === 'unknown') return depth;
    if (!isMember(at.parent)) return undefined;
    at = at.parent;
  }
}

/** Who reads for it, and in the end for all of its tree, from the registry or from nobody. */
export function rootOf(member: Member): Member {
  let at = member;
  while (isMember(at.parent)) at = at.parent;
  return at;
}

/** The member and all that read from it, at first or second hand. */
export function treeOf(member: Member): Member[] {
  const tree = [member];
  for (const one of tree) tree.push(...childrenOf(one));
  return tree;
}

/** Its bytes were wrong, and so are those that it handed on. */
export function spoilTree(member: Member): void {
  for (const one of treeOf(member)) one.isSpoilt = one !== member;
}

/** It reads nowhere from here on. */
export function detach(member: Member): void {
  const { parent, session } = member;
  if (isMember(parent) && parent.children?.delete(member)) {
    parent.session.peer.children -= 1;
    refileVacancy(parent);
  }
  if (parent === 'registry') session.peer.origins -= 1;
  member.parent = 'none';
}

/** It reads there from here on, and gets the whole time to show that something comes. */
export function attach(member: Member, parent: Exclude<Parent, 'none'>, nowMs: number): void {
  detach(member);
  member.parent = parent;
  member.movedMs = nowMs;
  member.starvedAt = undefined;
  member.isWaiting = false;
  if (member.reading) {
    member.reading.progressedMs = nowMs;
    member.reading.flowingMs = nowMs;
  }
  if (parent === 'registry') member.session.peer.origins += 1;
  if (!isMember(parent)) return;
  parent.children ??= new Set();
  if (parent.children.size === 0) parent.servingMs = nowMs;
  parent.children.add(member);
  parent.session.peer.children += 1;
  refileVacancy(parent);
}

function refileVacancy(parent: Member): void {
  const { swarm, session, children } = parent;
  const isThere = swarm.members.get(session.id) === parent;
  if (isThere && (children?.size ?? 0) < swarm.fanOut) swarm.vacant.add(parent);
  else swarm.vacant.delete(parent);
}
