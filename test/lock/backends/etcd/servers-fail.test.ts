import { expect, it } from 'vitest';
import type { SessionEvent } from '../../../../src/lock/locks.ts';
import { describeWith } from '../../../support/components.ts';
import { startEtcd } from '../../../support/etcd.ts';
import { resourceNamed } from '../../../support/lock-client.ts';
import { startLockServer } from '../../../support/lock-servers.ts';
import { clientAt, failedHere, lockUser, outcomeOf, tokenOf } from '../../../support/lock-users.ts';

const layer = resourceNamed('layer');
/** @param ttlMs shorter only where a session is to end by it */
async function startTwo(ttlMs = 45_000) {
  const { address } = await startEtcd();
  const start = () => startLockServer({ backend: `etcd://${address}`, ttlMs });
  const [one, other] = await Promise.all([start(), start()]);
  return { one, other, atOne: clientAt(one.url), atOther: clientAt(other.url) };
}

/** How it ends; nothing is granted on it any more. */
async function endOf(stream: AsyncIterator<SessionEvent>): Promise<string> {
  const drain = async () => {
    for (let next = await stream.next(); !next.done; next = await stream.next())
      if (next.value.kind === 'granted') throw new Error('granted what is somebody else’s');
    return { kind: 'ended' };
  };
  return await outcomeOf(drain());
}

describeWith(['etcd'], 'of two lock servers', () => {
  it('one that is killed costs nobody a token or a place at the other', async () => {
    const { one, atOne, atOther } = await startTwo();
    const [holder, second, third] = [lockUser('holder'), lockUser('second'), lockUser('third')];
    for (const user of [holder, second, third]) await user.open(atOne);
    const token = tokenOf(await holder.acquire(atOne, layer));
    expect(await second.acquire(atOne, layer)).toMatchObject({ kind: 'queued', position: 1 });
    expect(await third.acquire(atOne, layer)).toMatchObject({ kind: 'queued', position: 2 });
    one.child.kill('SIGKILL');
    await one.child.exited;
    expect(await holder.renew(atOther, { resource: layer, token })).toMatchObject({
      granted: [{ resourceId: layer, token }],
      queued: [],
    });
    expect(await third.renew(atOther)).toMatchObject({ granted: [], queued: [{ position: 2 }] });
    expect(await second.renew(atOther)).toMatchObject({ granted: [], queued: [{ position: 1 }] });
    expect(await holder.release(atOther, layer, token, failedHere)).toMatchObject({ kind: 'released' });
    const { granted } = await second.renew(atOther);
    expect(granted).toMatchObject([{ resourceId: layer }]);
    expect(granted[0]?.token).toBeGreaterThan(token);
  });

  it('one that was stopped for too long grants nothing that it remembers when it goes on', async () => {
    const { one, atOne, atOther } = await startTwo(6_000);
    const [stale, next, late] = [lockUser('stale'), lockUser('next'), lockUser('late')];
    await stale.open(atOne);
    await next.open(atOther);
    const old = tokenOf(await stale.acquire(atOne, layer));
    await next.acquire(atOther, layer);
    const stop = new AbortController();
    const stream = atOne.watch(stale.sessionId, stop.signal)[Symbol.asyncIterator]();
    expect((await stream.next()).value).toMatchObject({ kind: 'snapshot', granted: [{ token: old }] });

    one.child.kill('SIGSTOP');
    const granted = async () => (await next.renew(atOther)).granted[0]?.token ?? 0;
    await expect.poll(granted, { interval: 200 }).toBeGreaterThan(old);
    const token = await granted();
    await late.open(atOther);
    const asked = [
      outcomeOf(late.acquire(atOne, layer)),
      outcomeOf(stale.acquire(atOne, layer)),
      outcomeOf(stale.renew(atOne, { resource: layer, token: old })),
    ];
    one.child.kill('SIGCONT');
    const truths = ['lock_unreachable', 'session_unknown', 'queued'];
    for (const outcome of await Promise.all(asked)) expect(truths).toContain(outcome);
    expect(await endOf(stream)).toMatch(/^(lock_unreachable|ended)$/);

    expect(await outcomeOf(stale.renew(atOther, { resource: layer, token: old }))).toBe('session_unknown');
    const back = async () => {
      const outcome = await outcomeOf(next.renew(atOne, { resource: layer, token }));
      return outcome === 'answered' ? (await next.renew(atOne)).granted : outcome;
    };
    await expect.poll(back).toMatchObject([{ resourceId: layer, token }]);
    expect(await outcomeOf(stale.release(atOne, layer, old))).toBe('session_unknown');
  });
});
