import { expect, it } from 'vitest';
import { describeWith } from '../../../support/components.ts';
import { startEtcd } from '../../../support/etcd.ts';
import { startEtcdLockServer } from '../../../support/etcd-lock-servers.ts';
import { resourceNamed } from '../../../support/lock-client.ts';
import { lockUser, tokenOf } from '../../../support/lock-users.ts';

const layer = resourceNamed('layer');

describeWith(['etcd'], 'an etcd that others use too', () => {
  it('keeps clusters below other prefixes apart', async () => {
    const { address } = await startEtcd();
    const start = (prefix: string) => startEtcdLockServer({ addresses: [address], prefix });
    const [one, other, same] = [await start('one/'), await start('other/'), await start('one/')];
    const user = lockUser('a');
    await user.open(one.locks);
    await user.open(other.locks);
    const token = tokenOf(await user.acquire(one.locks, layer));
    tokenOf(await user.acquire(other.locks, layer));
    await user.release(one.locks, layer, token);
    expect(await user.acquire(same.locks, layer)).toMatchObject({ kind: 'skip' });
    expect(await user.renew(other.locks)).toMatchObject({ granted: [{ resourceId: layer }] });
    expect([one, other, same].map(({ locks }) => locks.clusterFigures().seats)).toEqual([2, 1, 2]);
  });

  it('takes servers of one set of rules and of options below a prefix, until all servers are gone', async () => {
    const { address } = await startEtcd();
    const start = (more: object = {}) => startEtcdLockServer({ addresses: [address], ...more });
    const first = await start();
    await expect(start({ ttlMs: 9_000, heartbeatMs: 3_000 })).rejects.toMatchObject({
      code: 'cluster_mismatch',
    });
    await expect(start({ rules: 9 })).rejects.toMatchObject({ code: 'cluster_mismatch' });
    const user = lockUser('a');
    await user.open(first.locks);
    const token = tokenOf(await user.acquire(first.locks, layer));
    await first.locks.close();

    for (const more of [{}, { rules: 9 }]) {
      const changed = await start({ ttlMs: 9_000, heartbeatMs: 3_000, ...more });
      await expect(user.renew(changed.locks)).rejects.toMatchObject({ code: 'session_unknown' });
      await user.open(changed.locks);
      expect(await user.renew(changed.locks, { resource: layer, token })).toMatchObject({
        granted: [{ resourceId: layer, token }],
      });
      await changed.locks.close();
    }
  });

  it('has servers of several versions side by side while their rules are the same', async () => {
    const { address } = await startEtcd();
    const start = (version: string) => startEtcdLockServer({ addresses: [address], version });
    const [older, newer] = [await start('1.0.0'), await start('1.0.1')];
    const user = lockUser('a');
    await user.open(older.locks);
    const token = tokenOf(await user.acquire(older.locks, layer));
    await older.locks.close();
    expect(await user.renew(newer.locks)).toMatchObject({ granted: [{ resourceId: layer, token }] });
    const newest = await start('1.0.2');
    expect(await user.release(newest.locks, layer, token)).toMatchObject({ kind: 'released' });
  });

  it('harms nobody with what others write below the prefix', async () => {
    const { address, admin } = await startEtcd();
    const entry = (commands: unknown[]) => JSON.stringify({ format: 1, atMs: 1, commands });
    const litter: Record<string, string | Buffer> = {
      ...{ 'of-others': 'x', 'live/': 'x', 'live/log': 'x', 'live/log/': 'x', 'live/log/x': 'x' },
      'live/log/nobody/0000000000000001': Buffer.from([0xff, 0xfe, 0x00]),
      'live/log/nobody/0000000000000002': entry([{ kind: 'unheard-of' }, null, 7]),
      'live/log/nobody/0000000000000003': entry([{ kind: 'session-silent', sessionId: 'session-a' }]),
      'live/log/nobody/0000000000000004': '{"format":2}',
      'live/other/x': 'x',
      ...{ 'snapshot/x': 'x', 'snapshot/0000000000000001/0000000000000000': 'x', snapshot: 'x' },
    };
    const write = async () => {
      for (const [key, value] of Object.entries(litter)) await admin.put(`layerpull/${key}`, value);
    };
    await write();
    const one = await startEtcdLockServer({ addresses: [address], snapshotEvery: 10 });
    const [user, next] = [lockUser('a'), lockUser('b')];
    await user.open(one.locks);
    const token = tokenOf(await user.acquire(one.locks, layer));
    await write();
    const other = await startEtcdLockServer({ addresses: [address], snapshotEvery: 10 });
    await next.open(other.locks);
    expect(await next.acquire(other.locks, layer)).toMatchObject({ kind: 'queued', position: 1 });
    for (let round = 0; round < 20; round += 1) {
      await write();
      expect(await user.renew(other.locks, { resource: layer, token })).toMatchObject({
        granted: [{ token }],
      });
    }
    expect(await user.release(one.locks, layer, token)).toMatchObject({ kind: 'released' });
    expect(await next.acquire(one.locks, layer)).toMatchObject({ kind: 'skip' });
    const third = await startEtcdLockServer({ addresses: [address], snapshotEvery: 10 });
    expect(await next.acquire(third.locks, layer)).toMatchObject({ kind: 'skip' });
  });
});
