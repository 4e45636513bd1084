import { expect, it } from 'vitest';
import { describeWith } from '../../../../support/components.ts';
import { startEtcd } from '../../../../support/etcd.ts';
import { etcdClient } from '../../../../support/etcd-stage.ts';
import { startWatch } from '../../../../support/etcd-watch.ts';

const put = { compare: [], success: [{ kind: 'put', key: 'a', value: 'one' }] } as const;
const user = { name: 'locks', password: 'secret-of-locks' };
const locks = { ...user, prefix: 'layerpull/' };
const other = { name: 'other', password: 'secret-of-other' };

describeWith(['etcd'], 'a client of an etcd that has users', () => {
  it('does all that it is for as a user who may', async () => {
    const { endpoints } = await etcdWithUsers();
    const etcd = etcdClient({ endpoints, user });
    await etcd.transact(put);
    expect((await etcd.list('')).entries).toHaveLength(1);
    const watch = startWatch(etcd, '', 1);
    expect(await watch.values(1)).toEqual(['one']);
    const lease = await etcd.lease(5);
    await lease.close();
    expect(lease.lost.aborted).toBe(false);
  });

  it('is denied with a wrong password, which no message shows', async () => {
    const { endpoints } = await etcdWithUsers();
    const etcd = etcdClient({ endpoints, user: { name: 'locks', password: 'wrong-secret' } });
    const error = await etcd.transact(put).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'etcd_denied', exitCode: 4, retryable: false, origin: 'lock' });
    expect(error).toMatchObject({ hint: 'check the name of the user and its password' });
    expect((error as Error).message).toContain('refuses user "locks"');
    expect(`${(error as Error).message} ${(error as Error).stack}`).not.toContain('wrong-secret');
    await expect(startWatch(etcd, '', 1).next()).rejects.toMatchObject({ code: 'etcd_denied' });
  });

  it('is denied where the user may not read and write, with the command that permits it', async () => {
    const { endpoints } = await etcdWithUsers();
    const etcd = etcdClient({ endpoints, user: other });
    const denied = {
      code: 'etcd_denied',
      hint: expect.stringContaining('--prefix=true readwrite layerpull/'),
    };
    await expect(etcd.transact(put)).rejects.toMatchObject(denied);
    await expect(etcd.list('')).rejects.toMatchObject(denied);
    await expect(startWatch(etcd, '', 1).next()).rejects.toMatchObject(denied);
  });

  it('is denied without a user', async () => {
    const { endpoints } = await etcdWithUsers();
    const etcd = etcdClient({ endpoints });
    const denied = {
      code: 'etcd_denied',
      hint: expect.stringContaining('give --etcd-user and --etcd-password-file'),
    };
    await expect(etcd.transact(put)).rejects.toMatchObject(denied);
    await expect(startWatch(etcd, '', 1).next()).rejects.toMatchObject(denied);
  });

  it('renews a token that is over, for calls and for watches', async () => {
    const { endpoints, member } = await etcdWithUsers();
    const etcd = etcdClient({ endpoints, user });
    await etcd.transact(put);
    await member.admin.forgetTokens(locks);
    expect(await startWatch(etcd, '', 1).values(1)).toEqual(['one']);
    await member.admin.forgetTokens(locks);
    expect((await etcd.transact(put)).succeeded).toBe(true);
    await member.admin.forgetTokens(locks);
    expect((await etcd.list('')).entries).toHaveLength(1);
  });

  it('takes a user along to an etcd that has none, and tells it once users came', async () => {
    const member = await startEtcd();
    const etcd = etcdClient({ endpoints: [member.address], user });
    await etcd.transact(put);
    await member.admin.enableUsers([locks]);
    expect((await etcd.transact(put)).succeeded).toBe(true);
  });
});

async function etcdWithUsers() {
  const member = await startEtcd();
  await member.admin.enableUsers([locks, { ...other, prefix: 'elsewhere/' }]);
  return { member, endpoints: [member.address] };
}
