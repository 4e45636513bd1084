import { expect, it } from 'vitest';
import type { EtcdCompare } from '../../../../../src/lock/backends/etcd/client/etcd.ts';
import { describeWith } from '../../../../support/components.ts';
import { etcdStage } from '../../../../support/etcd-stage.ts';

describeWith(['etcd'], 'transactions of the client of etcd', () => {
  it('writes a key that is absent, once', async () => {
    const { etcd } = await etcdStage();
    const transaction = {
      compare: [{ kind: 'absent', key: 'a' }],
      success: [{ kind: 'put', key: 'a', value: 'one' }],
      failure: [{ kind: 'get', key: 'a' }],
    } as const;
    const first = await etcd.transact(transaction);
    expect(first).toMatchObject({ succeeded: true, found: [] });
    const second = await etcd.transact(transaction);
    expect(second.succeeded).toBe(false);
    const { revision } = first;
    const entry = { key: 'a', value: Buffer.from('one'), createRevision: revision, modRevision: revision };
    expect(second.found).toEqual([entry]);
  });

  it('compares when a key was made and when it was written last', async () => {
    const { etcd } = await etcdStage();
    const put = { compare: [], success: [{ kind: 'put', key: 'a', value: '' }] } as const;
    const made = (await etcd.transact(put)).revision;
    const changed = (await etcd.transact(put)).revision;
    const holds = async (compare: EtcdCompare) =>
      (await etcd.transact({ compare: [compare], success: [] })).succeeded;
    expect(await holds({ kind: 'created-at', key: 'a', revision: made })).toBe(true);
    expect(await holds({ kind: 'created-at', key: 'a', revision: changed })).toBe(false);
    expect(await holds({ kind: 'created-at', key: 'b', revision: made })).toBe(false);
    expect(await holds({ kind: 'changed-at', key: 'a', revision: changed })).toBe(true);
    expect(await holds({ kind: 'changed-at', key: 'a', revision: made })).toBe(false);
  });

  it('sees whether any key has a prefix', async () => {
    const { etcd, member } = await etcdStage();
    await member.admin.put('layerpulk/a/', 'before the prefix of the cluster');
    await member.admin.put('layerpull0a/', 'behind it');
    const put = (key: string) => ({ compare: [], success: [{ kind: 'put', key, value: '' }] }) as const;
    const isFree = async (prefix: string) =>
      (await etcd.transact({ compare: [{ kind: 'none', prefix }], success: [] })).succeeded;
    expect(await isFree('')).toBe(true);
    await etcd.transact(put('b/1'));
    expect(await isFree('a/')).toBe(true);
    expect(await isFree('b/')).toBe(false);
    expect(await isFree('')).toBe(false);
  });

  it('deletes a range without its end, and finds what is left in the order of the gets', async () => {
    const { etcd } = await etcdStage();
    const keys = ['a/1', 'a/2', 'a/3', 'b'];
    await etcd.transact({
      compare: [],
      success: keys.map((key) => ({ kind: 'put', key, value: Buffer.from(key) })),
    });
    const { found } = await etcd.transact({
      compare: [],
      success: [
        { kind: 'delete', key: 'b' },
        { kind: 'delete-range', from: 'a/1', to: 'a/3' },
        { kind: 'get', key: 'a/3' },
        { kind: 'get', key: 'b' },
        { kind: 'get', key: 'a/2' },
      ],
    });
    expect(found.map((entry) => entry?.value.toString())).toEqual(['a/3', undefined, undefined]);
  });
});
