import { expect, it } from 'vitest';
import { EtcdCompacted } from '../../../../../src/lock/backends/etcd/client/etcd.ts';
import { describeWith } from '../../../../support/components.ts';
import { etcdStage } from '../../../../support/etcd-stage.ts';
import { startWatch } from '../../../../support/etcd-watch.ts';

const put = (key: string, value: string) =>
  ({ compare: [], success: [{ kind: 'put', key, value }] }) as const;

describeWith(['etcd'], 'watches of the client of etcd', () => {
  it('first says that etcd watches, then tells what happens to keys with the prefix', async () => {
    const { etcd, member } = await etcdStage();
    const watch = startWatch(etcd, 'w/', 1);
    expect(await watch.next()).toEqual({ revision: 0, changes: [] });
    await etcd.transact(put('other', 'x'));
    await member.admin.put('w/1', 'outside of the prefix of the cluster');
    const { revision } = await etcd.transact(put('w/1', 'one'));
    const entry = { key: 'w/1', value: Buffer.from('one'), createRevision: revision, modRevision: revision };
    expect(await watch.next()).toEqual({ revision, changes: [{ kind: 'put', entry }] });
    const gone = await etcd.transact({ compare: [], success: [{ kind: 'delete', key: 'w/1' }] });
    expect(await watch.next()).toEqual({
      revision: gone.revision,
      changes: [{ kind: 'delete', key: 'w/1', revision: gone.revision }],
    });
  });

  it('tells what happened since an old revision, and goes on behind the last one', async () => {
    const { etcd } = await etcdStage();
    const revisions: number[] = [];
    for (const value of ['one', 'two', 'three'])
      revisions.push((await etcd.transact(put('w/1', value))).revision);
    const [first = 0, second = 0] = revisions;
    const all = startWatch(etcd, 'w/', first);
    expect(await all.values(3)).toEqual(['one', 'two', 'three']);
    const rest = startWatch(etcd, 'w/', second + 1);
    expect(await rest.values(1)).toEqual(['three']);
  });

  it('throws EtcdCompacted where what happened since is not to be had any more', async () => {
    const { etcd, member } = await etcdStage();
    const { revision } = await etcd.transact(put('w/1', 'one'));
    const last = await etcd.transact(put('w/1', 'two'));
    await member.admin.compact(last.revision);
    const watch = startWatch(etcd, 'w/', revision);
    await expect(watch.values(1)).rejects.toThrow(EtcdCompacted);
  });

  it('ends when its signal aborts', async () => {
    const { etcd } = await etcdStage();
    const watch = startWatch(etcd, 'w/', 1);
    await watch.next();
    const next = watch.next();
    watch.abort();
    expect(await next).toBeUndefined();
  });
});
