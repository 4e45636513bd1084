import type { Lock, MachineState, Waiter } from '../../../src/lock/machine/state.ts';
import { isMember, type Swarm } from '../../../src/lock/machine/swarm.ts';

/** A machine's whole state as plain data, so that two of them can be compared. */
export function dump(state: MachineState): unknown {
  const { sessions, stores, locks, active, timedHolds, timedPlaces, idle, ...rest } = state;
  const { adoptedTokens, goneNodes, lostSessions, swarms, ...plain } = rest;
  return {
    ...plain,
    lostSessions: [...lostSessions],
    stores: [...stores].map(([name, all]) => [name, [...all].map(({ id }) => id)]),
    swarms: [...swarms.values()].map(dumpSwarm),
    adoptedTokens: [...adoptedTokens],
    goneNodes: [...goneNodes],
    sessions: [...sessions.values()].map(({ holds, places, ...session }) => ({
      ...session,
      holds: keysOf(holds),
      places: keysOf(places),
    })),
    locks: [...locks.values()].map(dumpLock),
    active: keysOf(active),
    timedHolds: keysOf(timedHolds),
    timedPlaces: keysOf(timedPlaces),
    idle: [...idle].map(([{ key }, atMs]) => [key, atMs]),
  };
}

function dumpLock({ queue, endings, farewells, spent, ...lock }: Lock): unknown {
  return {
    ...lock,
    queue: [...queue].map(dumpWaiter),
    endings: [...endings],
    spent: [...spent.values()],
    farewells: [...farewells].map(([key, { why }]) => [key, why]),
  };
}

function dumpWaiter({ lock, ...waiter }: Waiter): unknown {
  return { ...waiter, lock: lock.key, position: lock.queue.positionOf({ ...waiter, lock }) };
}

function dumpSwarm({ resourceId, members, vacant, troubles }: Swarm): unknown {
  return {
    resourceId,
    vacant: [...vacant].map(({ session }) => session.id),
    troubles: [...(troubles ?? [])].map(([id, { reports, ...trouble }]) => [id, [...reports], trouble]),
    members: [...members.values()].map(({ swarm: _, session, parent, children, ...member }) => ({
      ...member,
      session: session.id,
      parent: isMember(parent) ? parent.session.id : parent,
      children: [...(children ?? [])].map((child) => child.session.id),
    })),
  };
}

const keysOf = (all: Iterable<{ readonly key: string }>) => [...all].map(({ key }) => key);
