import { afterEach } from 'vitest';
import { toNodeId } from '../../../src/core/ids.ts';
import { type Actor, type ActorOptions, createActor } from './actor.ts';
import type { LocksSetup, LocksUnderTest, MakeLocks } from './world.ts';

export interface World extends LocksUnderTest {
  /** Somebody with a session of their own. */
  session(node: string, options?: ActorOptions): Promise<Actor>;
  /** Somebody who is known by the name of the node alone. */
  older(node: string): Actor;
  /** Moves time forward while these keep their sessions with heartbeats. */
  advanceWith(ms: number, alive: readonly Actor[]): Promise<void>;
}

export type Start = (setup?: LocksSetup) => Promise<World>;

/** Gives each case services of its own and closes them, with all that listens, after it. */
export function useWorlds(make: MakeLocks): Start {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });
  return async (setup = {}) => {
    const made = await make({ recoveryMs: 0, ...setup });
    open.push(made);
    const add = (actor: Actor) => {
      open.push({ close: () => actor.stopAll() });
      return actor;
    };
    return {
      ...made,
      async session(node, options = {}) {
        const { sessionId: id } = await made.locks.openSession({ nodeId: toNodeId(node), ...options });
        return add(createActor(made.locks, toNodeId(node), id));
      },
      older: (node) => add(createActor(made.locks, toNodeId(node), undefined)),
      advanceWith: (ms, alive) => advanceWith(made, ms, alive),
    };
  };
}

const stepMs = 2_000;

async function advanceWith({ advance }: LocksUnderTest, ms: number, alive: readonly Actor[]): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    await advance(Math.min(left, stepMs));
    for (const actor of alive) await actor.renew();
  }
}
