import { describe, expect, it } from 'vitest';
import { toNodeId, toSessionId } from '../../../../src/core/ids.ts';
import { EtcdLocks } from '../../../../src/lock/backends/etcd/etcd-locks.ts';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { type LivesOptions, startLives } from '../../../../src/lock/backends/etcd/lives.ts';
import { layer } from '../../../conformance/locks/layers.ts';
import { onCleanup } from '../../../support/cleanup.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';
import { createFakeEtcd, type FakeEtcd } from '../../../support/fake-etcd.ts';

async function start(fake: FakeEtcd, clock: FakeClock, options: Partial<LivesOptions> = {}) {
  const etcd = fake.client();
  const lives = await startLives({ etcd, clock, version: '0.0.0', recoveryMs: 0, ...options });
  onCleanup(() => lives.close());
  const seatsKnown = () => [...lives.latest().copy.cluster.seats.keys()];
  return { etcd, lives, locks: new EtcdLocks(lives), seatsKnown };
}

const pull = (node: string) => ({
  type: 'pull' as const,
  resourceId: layer,
  nodeId: toNodeId(node),
  sessionId: toSessionId(node),
});

/** A second and a half to live: the shortest that operators use. */
const short = { ttlMs: 1_500, heartbeatMs: 490, graceMs: 500, claimMs: 1_000, recoveryMs: 1_000 };

describe('a lock server in its cluster', () => {
  it.each([1, 3])('looks at the time often enough for short heartbeats, of %d servers', async (count) => {
    const [fake, clock] = [createFakeEtcd(), createFakeClock()];
    const servers = [];
    while (servers.length < count) servers.push(await start(fake, clock, short));
    const last = servers.at(-1);
    if (!last) throw new Error('there is a server');
    const open = (node: string) =>
      last.locks.openSession({ nodeId: toNodeId(node), sessionId: toSessionId(node) });
    await open('a');
    const asked = last.locks.acquire(pull('a'));
    await clock.advance(1_400);
    expect(await asked).toMatchObject({ kind: 'granted' });
    await open('b');
    expect(await last.locks.acquire(pull('b'))).toMatchObject({ kind: 'queued' });
    const isGranted = async () => (await last.locks.renew(toSessionId('b'), { held: [] })).granted.length > 0;
    for (let beat = 0; beat < 8 && !(await isGranted()); beat += 1) await clock.advance(500);
    expect(await isGranted()).toBe(true);
  });

  it('says that another one is gone until it is known', async () => {
    const [fake, clock] = [createFakeEtcd(), createFakeClock()];
    const [one, other] = [await start(fake, clock), await start(fake, clock)];
    const gone = other.lives.latest().seat;
    await one.locks.list({});
    await clock.advance(500);
    expect(one.seatsKnown()).toContain(gone);
    other.etcd.cutOff(true);
    one.etcd.mishaps('refused', 'refused', 'refused');
    fake.expire(keys.seat(gone));
    await clock.advance(0);
    expect(one.seatsKnown()).toContain(gone);
    await clock.advance(3_000);
    expect(one.seatsKnown()).not.toContain(gone);
  });

  it('remembers nothing of a session that ended and asks once more', async () => {
    const [fake, clock] = [createFakeEtcd(), createFakeClock()];
    const { lives, locks } = await start(fake, clock);
    const { hearing } = lives.latest().copy;
    for (const node of ['a', 'b', 'c']) {
      const sessionId = toSessionId(node);
      await locks.openSession({ nodeId: toNodeId(node), sessionId });
      expect(hearing.size).toBe(1);
      await locks.closeSession(sessionId);
      await expect(locks.renew(sessionId, { held: [] })).rejects.toMatchObject({ code: 'session_unknown' });
      expect(hearing.size).toBe(0);
    }
  });
});
