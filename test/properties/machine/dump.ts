import type { Lock, MachineState, Waiter } from '../../../src/lock/machine/state.ts';

/** A machine's whole state as plain data, so that two of them can be compared. */
export function dump(state: MachineState): unknown {
  const { sessions, locks, active, timedHolds, timedPlaces, idle, adoptedTokens, goneNodes, ...plain } =
    state;
  return {
    ...plain,
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

const keysOf = (all: Iterable<{ readonly key: string }>) => [...all].map(({ key }) => key);
