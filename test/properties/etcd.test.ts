import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { toSessionId, toToken } from '../../src/core/ids.ts';
import type { LockService } from '../../src/lock/backends/engine/engine.ts';
import { createEtcd } from '../../src/lock/backends/etcd/client/etcd-client.ts';
import { createEtcdLocks, type EtcdLocks } from '../../src/lock/backends/etcd/etcd-locks.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { describeWith } from '../support/components.ts';
import { startEtcd } from '../support/etcd.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { soakProperty } from '../support/soak.ts';
import { answerOf, heartbeats, type Question, questionOf } from './etcd/asking.ts';
import { type Action, actions } from './machine/actions.ts';

/**
 * Time passes in whole steps of this, and no bound is nearer to their sums than half of it: how often a service looks at
 * the time makes no difference. Places and leases are shorter than three steps: whoever asks about one in a later step is
 * noted, and not only answered.
 */
const stepMs = 4_000;
const bounds = {
  ...{ ttlMs: 3_600_000, heartbeatMs: 8_000, graceMs: 6_000, claimMs: 10_000, stallMs: 22_000 },
  ...{ originStallMs: 26_000, banMs: 30_000, nodeGraceMs: 14_000, leaseMs: 10_000, placeMs: 10_000 },
  ...{ completionMs: 30_000, contentFailureMs: 18_000, repeatMs: 38_000, recoveryMs: 0 },
};

const answer = (locks: LockService, question: Question) => answerOf(locks, question, stepMs);

/** What happens, at which server, and whether that is started again before. */
interface Happening {
  readonly action: Action;
  readonly at: number;
  readonly restarts: boolean;
}

/** Without sessions most answers would be that there is none. */
const opened = [0, 1, 2, 3].map(
  (who): Happening => ({ action: { kind: 'open', who }, at: who % 3, restarts: false }),
);

const happenings = actions.chain((list) =>
  fc.tuple(
    ...list.map((action) =>
      fc.record<Happening>({
        action: fc.constant(action),
        at: fc.nat({ max: 2 }),
        restarts: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
      }),
    ),
  ),
);

describeWith(
  ['etcd'],
  'three lock servers over a real etcd, whatever they are asked in whatever order',
  () => {
    let address = '';
    let clusters = 0;
    beforeAll(async () => {
      address = (await startEtcd()).address;
    });

    async function play(list: readonly Happening[]): Promise<void> {
      clusters += 1;
      const clock = createFakeClock();
      const prefix = `property-${clusters}/`;
      const etcd = createEtcd({ endpoints: [address], prefix, clock: systemClock });
      const start = () => createEtcdLocks({ etcd, clock, version: '0.0.0', snapshotEvery: 7, ...bounds });
      const firstToken = toToken(Math.floor(clock.wallNow()) * 1_024);
      const reference = createMemoryLocks({ clock, firstToken, ...bounds });
      const servers = [await start(), await start(), await start()];
      /** Behind all that was done before. */
      const caughtUp = async (at: number): Promise<EtcdLocks> => {
        const server = servers[at] ?? (await start());
        await server.closeSession(toSessionId('nobody'));
        return server;
      };
      /** A server answers for whom it hears, and where to read depends on who is heard: so all are, alike. */
      const beat = async () => {
        for (const [at, question] of heartbeats.entries()) {
          const expected = await answer(reference, question);
          expect(await answer(await caughtUp(at % 3), question)).toEqual(expected);
        }
      };
      const pass = async (steps: number) => {
        for (let left = steps; left > 0; left -= 1) {
          for (const at of [0, 1]) {
            await clock.advance(stepMs / 2);
            await caughtUp(at);
          }
          await beat();
        }
      };
      try {
        for (const { action, at, restarts } of [...opened, ...list]) {
          if (restarts) {
            await servers[at]?.close();
            servers[at] = await start();
          }
          if (action.kind === 'pass' || action.kind === 'stall') await pass(action.ms > 10_000 ? 4 : 1);
          const question = await questionOf(action, reference);
          if (!question) continue;
          const server = await caughtUp(at);
          const expected = await answer(reference, question);
          expect(await answer(server, question), JSON.stringify(action)).toEqual(expected);
        }
        const all: Question = (locks) => locks.list({});
        const expected = await answer(reference, all);
        for (const at of servers.keys()) expect(await answer(await caughtUp(at), all)).toEqual(expected);
      } finally {
        for (const server of servers) await server.close();
        await reference.close();
        await etcd.close();
      }
    }

    it('answer what one machine in memory answers to the same at the same times', async () => {
      await soakProperty(fc.asyncProperty(happenings, play), 0.8);
    });
  },
);
