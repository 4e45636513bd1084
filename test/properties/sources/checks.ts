import type { MachineState } from '../../../src/lock/machine/state.ts';
import { isMember, type Member, sourceOf } from '../../../src/lock/machine/swarm.ts';
import { layer, type SimulatedFleet } from './fleet.ts';

/** What must hold at any moment. */
export function checkTree(fleet: SimulatedFleet): void {
  checkSwarms(fleet.state);
  checkNodes(fleet);
}

/** The books agree, and nobody waits for themselves or for nobody. */
export function checkSwarms(state: MachineState): void {
  for (const [id, session] of state.sessions) {
    const members = [...session.peer.members.values()];
    const children = members.reduce((sum, member) => sum + (member.children?.size ?? 0), 0);
    const origins = members.filter(({ parent }) => parent === 'registry').length;
    expectThat(children === session.peer.children, `${id} has ${children} children`);
    expectThat(origins === session.peer.origins, `${id} reads ${origins} layers from the registry`);
    expectThat(!session.peer.isGone, `${id} is there and gone`);
  }
  for (const { members } of state.swarms.values()) {
    expectThat(members.size > 0, 'a swarm has nobody');
    for (const member of members.values()) checkMember(state, member);
  }
}

function membersOf({ state }: SimulatedFleet): Member[] {
  return [...(state.swarms.get(layer)?.members.values() ?? [])];
}

function checkMember(state: MachineState, member: Member): void {
  const { session, parent, children, reading, isComplete } = member;
  const { id } = session;
  expectThat(state.sessions.get(id) === session, `${id} is gone and still reads or serves`);
  expectThat(reading !== undefined || isComplete, `${id} neither reads nor has anything`);
  expectThat(reading === undefined || parent !== 'none', `${id} reads nowhere`);
  const isVacant = (children?.size ?? 0) < state.options.fanOut;
  expectThat(member.swarm.vacant.has(member) === isVacant, `${id} has room, or has not`);
  for (const child of children ?? [])
    expectThat(child.parent === member, `${id} has a child that is not its own`);
  if (!isMember(parent)) return;
  expectThat(parent.children?.has(member) === true, `${id} is not among the children of its source`);
  expectThat(parent.session.opened.url !== undefined, `${id} reads from one that serves nothing`);
  checkWay(member);
}

/** The way to the bytes ends, and passes through each store once. */
function checkWay(member: Member): void {
  const stores = new Set<string>();
  for (let at: Member = member; ; ) {
    expectThat(!stores.has(at.session.domain), `${member.session.id} waits for itself`);
    stores.add(at.session.domain);
    if (!isMember(at.parent)) {
      expectThat(
        at.isComplete || at.parent !== 'none',
        `${member.session.id} waits for one that reads nothing`,
      );
      return;
    }
    at = at.parent;
  }
}

/** What nodes that hear were told is what the service thinks. */
function checkNodes(fleet: SimulatedFleet): void {
  for (const { name, setup, life, token, source, sessionId } of fleet.nodes) {
    const member = fleet.state.sessions.get(sessionId)?.peer.members.get(layer);
    if (!setup.hears || life !== 'pulling' || !member?.reading || member.reading.token !== token) continue;
    const meant = sourceOf(member);
    const isSame =
      meant.kind === 'registry' || source.kind === 'registry'
        ? meant.kind === source.kind
        : meant.sessionId === source.sessionId;
    expectThat(isSame, `${name} was not told that it reads elsewhere`);
  }
}

/** How many read the registry; those that are stopped still may, and those that are dead do not. */
export function readersOf(fleet: SimulatedFleet): number {
  const dead = new Set(fleet.nodes.filter(({ life }) => life === 'dead').map(({ sessionId }) => sessionId));
  const readers = membersOf(fleet).filter(({ parent }) => parent === 'registry');
  return readers.filter(({ session }) => !dead.has(session.id)).length;
}

export function expectThat(isSo: boolean, problem: string): void {
  if (!isSo) throw new Error(problem);
}
