import { expect, it } from 'vitest';
import { type Etcd, EtcdCompacted } from '../../../../../src/lock/backends/etcd/client/etcd.ts';
import { describeWith } from '../../../../support/components.ts';
import { etcdStage } from '../../../../support/etcd-stage.ts';

const put = (key: string, value: string | Buffer) =>
  ({ compare: [], success: [{ kind: 'put', key, value }] }) as const;

describeWith(['etcd'], 'lists of the client of etcd', () => {
  it('reads all keys with a prefix in their order, however many there are', async () => {
    const { etcd } = await etcdStage();
    const keys = Array.from({ length: 1_100 }, (_, index) => `k/${String(index).padStart(5, '0')}`);
    await putAll(etcd, keys.toReversed());
    await etcd.transact(put('l', 'behind the prefix'));
    const { entries, revision } = await etcd.list('k/');
    expect(entries.map(({ key }) => key)).toEqual(keys);
    expect(revision).toBe((await etcd.transact({ compare: [], success: [] })).revision);
  });

  it('reads all pages at one revision while others write', async () => {
    const { etcd } = await etcdStage();
    const keys = Array.from({ length: 100 }, (_, index) => `k/${String(index).padStart(5, '0')}`);
    let rounds = 0;
    let isDone = false;
    const write = async () => {
      for (; !isDone; rounds += 1) await putAll(etcd, keys, String(rounds));
    };
    await putAll(etcd, keys);
    const writing = write();
    for (const before = rounds; rounds < before + 20; ) {
      const { entries, revision } = await etcd.list('k/');
      expect(entries).toHaveLength(keys.length);
      for (const { modRevision } of entries) expect(modRevision).toBe(entries[0]?.modRevision);
      const again = await etcd.list('k/', { revision });
      expect(again).toEqual({ revision, entries });
    }
    isDone = true;
    await writing;
  });

  it('reads values of the largest size that etcd takes', async () => {
    const { etcd } = await etcdStage();
    const value = Buffer.alloc(1_400_000, 'x');
    const small = Array.from({ length: 100 }, (_, index) => `a/${String(index).padStart(5, '0')}`);
    await putAll(etcd, small);
    for (let index = 0; index < 50; index += 1) await etcd.transact(put(`b/${100 + index}`, value));
    const { entries } = await etcd.list('');
    expect(entries).toHaveLength(150);
    expect(entries.slice(100).every((entry) => entry.value.equals(value))).toBe(true);
  });

  it('throws EtcdCompacted for a revision that is not to be had any more', async () => {
    const { etcd, member } = await etcdStage();
    const { revision } = await etcd.transact(put('a', 'one'));
    const last = await etcd.transact(put('a', 'two'));
    await member.admin.compact(last.revision);
    await expect(etcd.list('', { revision })).rejects.toThrow(EtcdCompacted);
    expect((await etcd.list('')).entries.map(({ value }) => value.toString())).toEqual(['two']);
  });
});

/** In transactions of a hundred. */
async function putAll(etcd: Etcd, keys: readonly string[], value = 'old') {
  let revision = 0;
  for (let at = 0; at < keys.length; at += 100) {
    const success = keys.slice(at, at + 100).map((key) => ({ kind: 'put', key, value }) as const);
    ({ revision } = await etcd.transact({ compare: [], success }));
  }
  return { revision };
}
