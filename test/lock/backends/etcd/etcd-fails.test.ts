import { expect, it } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { createEtcd } from '../../../../src/lock/backends/etcd/client/etcd-client.ts';
import type { Locks, SessionEvent } from '../../../../src/lock/locks.ts';
import { onCleanup } from '../../../support/cleanup.ts';
import { describeWith } from '../../../support/components.ts';
import { startEtcd, startEtcdCluster } from '../../../support/etcd.ts';
import { type EtcdLockServer, startEtcdLockServers } from '../../../support/etcd-lock-servers.ts';
import { resourceNamed } from '../../../support/lock-client.ts';
import {
  clientAt,
  failedHere,
  type LockUser,
  lockUser,
  outcomeOf,
  tokenOf,
} from '../../../support/lock-users.ts';
import { soon } from '../../../support/soon.ts';

const layer = resourceNamed('layer');
/** So long that a busy machine misses none of the four heartbeats in it. */
const ttlMs = 6_000;
const times = { ttlMs, heartbeatMs: ttlMs / 4, graceMs: ttlMs, claimMs: ttlMs };
/** Nobody heartbeats, and no session ends. */
const long = { ttlMs: 60_000, heartbeatMs: 8_000 };
const fast = { heartbeatMs: 50, electionMs: 500 };

/** Two of a pair, however many there may be. */
function pairOf<T>(all: readonly T[]): readonly [T, T] {
  const [one, other] = all;
  if (one === undefined || other === undefined) throw new Error('there are two');
  return [one, other];
}

/** Heartbeats at any of these, whatever is answered, until it is stopped. */
function keepAlive(user: LockUser, at: readonly Locks[], held?: { token: number }): () => Promise<void> {
  const end = new AbortController();
  const beat = async () => {
    while (!end.signal.aborted) {
      for (const one of at) await outcomeOf(user.renew(one, held && { resource: layer, token: held.token }));
      await systemClock.sleep(ttlMs / 4, end.signal).catch(() => {});
    }
  };
  const beating = beat();
  return async () => {
    end.abort();
    await beating;
  };
}

describeWith(['etcd'], 'lock servers over etcd', () => {
  it('lose nobody and no token when most members are away for longer than a session lives', async () => {
    const cluster = await startEtcdCluster(3, fast);
    const [one, other] = pairOf(await startEtcdLockServers(2, { addresses: cluster.addresses, ...times }));
    const [atOne, atOther] = [clientAt(one.url), clientAt(other.url)];
    const [holder, next] = [lockUser('holder'), lockUser('next')];
    await holder.open(atOne);
    await next.open(atOther);
    const token = tokenOf(await holder.acquire(atOne, layer));
    expect(await next.acquire(atOther, layer)).toMatchObject({ kind: 'queued', position: 1 });
    const stops = [keepAlive(holder, [atOne], { token }), keepAlive(next, [atOther])];

    const [first, second] = pairOf(cluster.members);
    await Promise.all([first.kill(), second.kill()]);
    await systemClock.sleep(ttlMs * 2);
    expect(await outcomeOf(next.renew(atOther))).toBe('lock_unreachable');
    await Promise.all([first.restart(), second.restart()]);

    const standing = () => holder.renew(atOther, { resource: layer, token }).catch(() => undefined);
    await expect.poll(standing).toMatchObject({ granted: [{ resourceId: layer, token }] });
    await expect
      .poll(() => next.renew(atOne).catch(() => undefined))
      .toMatchObject({
        queued: [{ resourceId: layer, position: 1 }],
      });
    for (const stop of stops) await stop();
    expect(await holder.release(atOther, layer, token)).toMatchObject({ kind: 'released' });
    expect(await next.acquire(atOne, layer)).toMatchObject({ kind: 'skip' });
  });

  it('start over where the data of etcd is lost: holders bring theirs back, and later tokens are higher', async () => {
    const etcd = await startEtcd(fast);
    const [one, other] = pairOf(await startEtcdLockServers(2, { addresses: [etcd.address], ...long }));
    const [atOne, atOther] = [clientAt(one.url), clientAt(other.url)];
    const [holder, next] = [lockUser('holder'), lockUser('next')];
    await holder.open(atOne);
    const token = tokenOf(await holder.acquire(atOne, layer));

    await etcd.restartEmpty();
    const forgotten = () => outcomeOf(holder.renew(atOther, { resource: layer, token }));
    await expect.poll(forgotten).toBe('session_unknown');
    await holder.open(atOther);
    await next.open(atOther);
    expect(await holder.renew(atOther, { resource: layer, token })).toMatchObject({ granted: [{ token }] });
    await expect.poll(() => outcomeOf(next.acquire(atOne, layer))).toBe('queued');
    expect(await holder.release(atOther, layer, token, failedHere)).toMatchObject({ kind: 'released' });
    expect(tokenOf(await next.acquire(atOther, layer))).toBeGreaterThan(token);
  });

  it('take a new place where etcd was restored from a backup beneath them', async () => {
    const etcd = await startEtcd(fast);
    const [one, other] = pairOf(await startEtcdLockServers(2, { addresses: [etcd.address] }));
    const [atOne, atOther] = [clientAt(one.url), clientAt(other.url)];
    const opened = async (at: Locks) => {
      await lockUser('holder').open(at);
      return { kind: 'opened' };
    };
    const answers = (at: Locks) => expect.poll(() => outcomeOf(opened(at))).toBe('opened');
    await answers(atOne);
    await etcd.backUp();
    for (const at of [atOne, atOther]) await answers(at);
    // More than both write before they notice.
    for (let count = 0; count < 300; count += 1) await lockUser(`later-${count}`).open(atOther);

    await etcd.restore();
    for (const at of [atOne, atOther]) await answers(at);
    // What the other one wrote before it noticed may cost a new place once more.
    await soon(async () => {
      const token = tokenOf(await lockUser('holder').acquire(atOne, layer));
      const standing = await lockUser('holder').renew(atOther, { resource: layer, token });
      expect(standing).toMatchObject({ granted: [{ resourceId: layer, token }] });
      for (const { locks } of [one, other]) expect(locks.clusterFigures().seats).toBe(2);
    });
  });

  it('miss nothing where etcd forgot the history meanwhile', async () => {
    const etcd = await startEtcd(fast);
    const [one, other] = pairOf(await startEtcdLockServers(2, { addresses: [etcd.address], ...long }));
    const compact = async () => etcd.admin.compact(await etcd.admin.put('of-others', ''));
    const { stream, old } = await handOnWhileCutOff(one, other, compact);
    expect(await grantOn(stream)).toBeGreaterThan(old);
    expect(one.locks.clusterFigures().seats).toBe(2);
  });

  it('take a new place where the entries are only in a snapshot by now', async () => {
    const etcd = await startEtcd(fast);
    const addresses = [etcd.address];
    const [one, other] = pairOf(await startEtcdLockServers(2, { addresses, snapshotEvery: 8, ...long }));
    const shorten = async () => {
      const noise = lockUser('noise');
      for (let count = 0; count < 30; count += 1) await noise.open(other.locks);
      await expect.poll(() => readKey(etcd.address, 'snapshot/current')).toBeDefined();
      await etcd.admin.compact(await etcd.admin.put('of-others', ''));
    };
    const { stream, old, next } = await handOnWhileCutOff(one, other, shorten);
    await expect(grantOn(stream)).rejects.toMatchObject({ code: 'lock_unreachable' });
    const standing = () => next.renew(one.locks).catch(() => undefined);
    await expect.poll(standing).toMatchObject({ granted: [{ resourceId: layer }] });
    const token = (await standing())?.granted[0]?.token ?? 0;
    expect(token).toBeGreaterThan(old);
    await expect.poll(() => other.locks.clusterFigures().seats).toBe(2);
  });
});

/** Who waits at a server hears nothing of its grant, since that server is cut off while it happens. */
async function handOnWhileCutOff(one: EtcdLockServer, other: EtcdLockServer, meanwhile: () => Promise<void>) {
  const [holder, next] = [lockUser('holder'), lockUser('next')];
  await next.open(one.locks);
  await holder.open(other.locks);
  const stop = new AbortController();
  onCleanup(() => stop.abort());
  const stream = one.locks.watch(next.sessionId, stop.signal);
  expect((await stream.next()).value).toMatchObject({ kind: 'snapshot' });
  const old = tokenOf(await holder.acquire(other.locks, layer));
  expect(await next.acquire(one.locks, layer)).toMatchObject({ kind: 'queued', position: 1 });
  one.cutOff(true);
  expect(await holder.release(other.locks, layer, old, failedHere)).toMatchObject({ kind: 'released' });
  await meanwhile();
  one.cutOff(false);
  return { stream, old, next };
}

/** The token that is granted next on a stream. */
async function grantOn(stream: AsyncIterable<SessionEvent>): Promise<number> {
  for await (const event of stream) if (event.kind === 'granted') return event.token;
  throw new Error('the stream ended');
}

async function readKey(address: string, key: string): Promise<string | undefined> {
  const etcd = createEtcd({ endpoints: [address], prefix: 'layerpull/', clock: systemClock });
  try {
    const { found } = await etcd.transact({ compare: [], success: [{ kind: 'get', key }] });
    return found[0]?.value.toString();
  } finally {
    await etcd.close();
  }
}
