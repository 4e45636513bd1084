import fc from 'fast-check';
import { describe, it } from 'vitest';
import { type SessionId, toNodeId, toStoreId } from '../../src/core/ids.ts';
import type { Outcome } from '../../src/lock/locks.ts';
import { type LockSession, openLockSession } from '../../src/lock/session.ts';
import { createFakeClock, type FakeClock, settle } from '../support/fake-clock.ts';
import { soakProperty } from '../support/soak.ts';
import { createLine, type Fate, type Line } from './session/line.ts';
import { startUser, type User } from './session/users.ts';

const sessions = 3;
const failed: Outcome = { success: false, error: 'disk full', class: 'node' };

const who = fc.nat(sessions - 1);
const what = fc.nat(1);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('start' as const), who, what }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('finish' as const), user: fc.nat(9), ok: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), user: fc.nat(9) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 600, 3_000, 8_000) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'break' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), who }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const fate = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Fate>('ok') },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Fate>('lose-request', 'lose-answer', 'drop-event', 'break-stream'),
  },
);

interface World {
  readonly clock: FakeClock;
  readonly line: Line;
  readonly scheduler: fc.Scheduler;
  readonly sessions: LockSession[];
  readonly users: User[];
  /** Sessions that were closed: what they held ends with their time at the latest. */
  readonly closed: Set<SessionId>;
}

function createWorld(scheduler: fc.Scheduler, fates: readonly Fate[]): World {
  const clock = createFakeClock();
  const line = createLine(clock, scheduler, fates);
  return {
    clock,
    line,
    scheduler,
    users: [],
    closed: new Set(),
    sessions: Array.from({ length: sessions }, (_, index) => open(index)),
  };

  function open(index: number): LockSession {
    const nodeId = toNodeId(`node-${index}`);
    return openLockSession({ locks: line, clock, nodeId, storeId: toStoreId('store'), random: () => 0.5 });
  }
}

async function play(world: World, one: Step): Promise<void> {
  const { clock, line, users } = world;
  switch (one.kind) {
    case 'start': {
      const session = world.sessions[one.who];
      if (session) users.push(startUser(session, one.what));
      break;
    }
    case 'deliver':
      await deliver(world, one.count);
      break;
    case 'finish':
      users[one.user]?.finish(one.ok ? { success: true } : failed);
      break;
    case 'cancel':
      users[one.user]?.cancel();
      break;
    case 'pass':
      await clock.advance(one.ms);
      break;
    case 'break':
      line.breakStreams();
      break;
    case 'restart':
      await line.restart();
      break;
    case 'close': {
      const session = world.sessions[one.who];
      if (session) world.closed.add(session.sessionId);
      void session?.close();
    }
  }
  await settle();
  checkHolds(world);
}

/** Lets so many messages arrive, and what they lead to happen. */
async function deliver({ scheduler }: World, count: number): Promise<void> {
  for (let left = count; left > 0 && scheduler.count() > 0; left -= 1) {
    await scheduler.waitNext(1);
    await settle();
  }
}

/** Lets so much time pass with a line on which everything arrives at once, in the order of the scheduler. */
async function calm(world: World, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) {
    await deliver(world, 1_000);
    await world.clock.advance(500);
    checkHolds(world);
  }
}

/** A session never has two locks on one resource. */
function checkHolds({ users }: World): void {
  const held = new Set<string>();
  for (const { session, resourceId, hold } of users) {
    if (hold()?.token === undefined) continue;
    const key = `${session.sessionId} ${resourceId}`;
    if (held.has(key)) throw new Error(`two holds on ${key}`);
    held.add(key);
  }
}

/** Within a heartbeat whoever was given a lock knows it, and whoever lost one does. */
async function checkBeliefs(world: World): Promise<void> {
  const before = await doubts(world);
  await calm(world, 7_000);
  const after = await doubts(world);
  const lost = before.lost.find((hold) => after.lost.includes(hold));
  if (lost) throw new Error(`token ${lost.token} is held no more, and its holder was not told`);
  const given = before.given.find((token) => after.given.includes(token));
  if (given) throw new Error(`token ${given} was granted, and nobody knows`);
}

/** Locks that somebody believes to hold and does not, and tokens that were given to somebody who does not know. */
async function doubts({ users, line, closed }: World) {
  const views = await line.service().list({ prefix: 'sha256:' });
  const holders = views.flatMap(({ holder }) => holder ?? []);
  const tokens = holders.map(({ token }) => token);
  const holds = users.flatMap((user) => user.hold() ?? []).filter(({ token }) => token !== undefined);
  const lost = holds.filter(({ token }) => token === undefined || !tokens.includes(token));
  const open = holders.filter(({ sessionId }) => sessionId && !closed.has(sessionId));
  const given = open.map(({ token }) => token).filter((one) => !holds.some(({ token }) => token === one));
  return { lost, given };
}

/** Every wait ends: each lock that is held is finished, until nobody waits. */
async function finishAll(world: World): Promise<void> {
  for (let round = 0; world.users.some((user) => !user.isDone()); round += 1) {
    if (round > 60) throw new Error('somebody waits for ever');
    for (const user of world.users) user.finish(round % 2 === 0 ? failed : { success: true });
    await calm(world, 1_000);
  }
  for (const user of world.users) {
    const problem = user.problem();
    if (problem !== undefined) throw problem;
  }
}

async function checkNothingIsLeft({ line }: World): Promise<void> {
  const left = await line.service().list({});
  if (left.length > 0) throw new Error(`something is left: ${JSON.stringify(left)}`);
}

describe('sessions on a line that loses and reorders', () => {
  it('hold once, know what they hold, wait for nothing for ever, and leave nothing behind', async () => {
    const steps = fc.array(step, { minLength: 4, maxLength: 40, size: 'max' });
    const fates = fc.array(fate, { maxLength: 60, size: 'max' });
    const property = fc.asyncProperty(fc.scheduler(), steps, fates, async (scheduler, list, losses) => {
      const world = createWorld(scheduler, losses);
      for (const one of list) await play(world, one);
      world.line.mend();
      await checkBeliefs(world);
      await calm(world, 13_000);
      await checkBeliefs(world);
      await finishAll(world);
      await calm(world, 13_000);
      await checkNothingIsLeft(world);
      const closing = Promise.all(world.sessions.map((session) => session.close()));
      await calm(world, 2_000);
      await closing;
      await world.line.close();
    });
    await soakProperty(property);
  });
});
