import { expect, it } from 'vitest';
import { isLayerpullError } from '../../../../../src/core/errors.ts';
import type { Etcd } from '../../../../../src/lock/backends/etcd/client/etcd.ts';
import { onCleanup } from '../../../../support/cleanup.ts';
import { describeWith } from '../../../../support/components.ts';
import { type EtcdMember, startEtcdCluster } from '../../../../support/etcd.ts';
import { etcdClient } from '../../../../support/etcd-stage.ts';

const times = { heartbeatMs: 50, electionMs: 500 };
const callMs = 1_000;

describeWith(['etcd'], 'a client of three members of etcd', () => {
  it('writes and watches on when the leader is killed, and nothing is lost or told twice', async () => {
    const { addresses, leader } = await startEtcdCluster(3, times);
    const etcd = etcdClient({ endpoints: addresses, callMs });
    const seen = follow(etcd);
    await writeAll(etcd, 0, 20);
    const first = await leader();
    await first.kill();
    await writeAll(etcd, 20, 40);
    await first.restart();
    await writeAll(etcd, 40, 60);
    expect(await seen(60)).toEqual(Array.from({ length: 60 }, (_, index) => `k/${100 + index}`));
  });

  it('writes and watches on when the member that it asks is stopped', async () => {
    const { addresses, members, leader } = await startEtcdCluster(3, times);
    const led = await leader();
    const index = members.findIndex((member) => member !== led);
    const etcd = etcdClient({ endpoints: addresses, callMs, random: () => (index + 0.5) / 3 });
    const seen = follow(etcd);
    await writeAll(etcd, 0, 5);
    expect(await seen(5)).toHaveLength(5);
    members[index]?.freeze();
    await writeAll(etcd, 5, 10);
    expect(await seen(10)).toHaveLength(10);
  });

  it('keeps a lease when the member that kept it is stopped, and when the leader is killed', async () => {
    const { addresses, members, leader } = await startEtcdCluster(3, times);
    const led = await leader();
    const index = members.findIndex((member) => member !== led);
    const etcd = etcdClient({ endpoints: addresses, callMs: 500, random: () => (index + 0.5) / 3 });
    const lease = await etcd.lease(10);
    await etcd.transact({ compare: [], success: [{ kind: 'put', key: 'a', value: '', lease: lease.id }] });
    members[index]?.freeze();
    await outlive(etcd, led, 12);
    expect(lease.lost.aborted).toBe(false);
    members[index]?.thaw();
    await (await leader()).kill();
    await outlive(etcd, await leader(), 12);
    expect(lease.lost.aborted).toBe(false);
    expect((await listed(etcd)).map(({ key }) => key)).toContain('a');
  });

  it('ends a watch at a member that is cut off from its leader, and says that it has none', async () => {
    const { members } = await startEtcdCluster(3, times);
    const [only, ...others] = members;
    if (!only) throw new Error('no member');
    const etcd = etcdClient({ endpoints: [only.address], callMs: 20_000 });
    const ended = new AbortController();
    onCleanup(() => ended.abort());
    const watch = etcd.watch('', 1, ended.signal)[Symbol.asyncIterator]();
    await watch.next();
    await Promise.all(others.map((member) => member.kill()));
    await expect(watch.next()).rejects.toMatchObject({
      code: 'etcd_unreachable',
      message: expect.stringMatching(/broke: (no leader|watch canceled)$/),
    });
    await expect(etcd.transact({ compare: [], success: [] })).rejects.toMatchObject({
      code: 'etcd_unreachable',
      message: `cannot reach etcd at ${only.address} (no leader)`,
    });
    await Promise.all(others.map((member) => member.restart()));
    expect(await listed(etcd)).toEqual([]);
  });
});

/** Writes keys as a caller does who may not write one twice: what may have been written is written where it is absent. */
async function writeAll(etcd: Etcd, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index += 1) {
    const key = `k/${100 + index}`;
    const transaction = {
      compare: [{ kind: 'absent', key }],
      success: [{ kind: 'put', key, value: '' }],
    } as const;
    await insist(() => etcd.transact(transaction));
  }
}

/** Tries again while etcd is not in reach. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isLayerpullError(error) || error.code !== 'etcd_unreachable') throw error;
    }
  }
}

async function listed(etcd: Etcd) {
  return (await insist(() => etcd.list(''))).entries;
}

/** Watches as a caller does: again behind the last revision when it breaks. Answers with the keys once so many were told. */
function follow(etcd: Etcd): (count: number) => Promise<readonly string[]> {
  const ended = new AbortController();
  onCleanup(() => ended.abort());
  const keys: string[] = [];
  let onKey = () => {};
  const run = async () => {
    for (let from = 1; !ended.signal.aborted; ) {
      try {
        for await (const { revision, changes } of etcd.watch('k/', from, ended.signal)) {
          for (const change of changes) keys.push(change.kind === 'put' ? change.entry.key : change.key);
          from = revision + 1;
          onKey();
        }
      } catch (error) {
        if (!isLayerpullError(error) || error.code !== 'etcd_unreachable') throw error;
      }
    }
  };
  const running = run();
  return async (count) => {
    while (keys.length < count) {
      await Promise.race([running, new Promise<void>((resolve) => (onKey = resolve))]);
    }
    return keys;
  };
}

/** Until a key is gone that nobody kept for so many seconds. */
async function outlive(etcd: Etcd, member: EtcdMember, seconds: number): Promise<void> {
  await member.admin.putFor(seconds, 'layerpull/unkept');
  while ((await listed(etcd)).some(({ key }) => key === 'unkept')) await new Promise(setImmediate);
}
