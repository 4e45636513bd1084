import { once } from 'node:events';
import { expect, it } from 'vitest';
import { describeWith } from '../../../../support/components.ts';
import type { EtcdMember } from '../../../../support/etcd.ts';
import { etcdStage } from '../../../../support/etcd-stage.ts';
import { startWatch } from '../../../../support/etcd-watch.ts';
import { get } from '../../../../support/get.ts';

/** How long a lease lasts that nobody keeps: longer than a busy machine says nothing. */
const seconds = 5;

describeWith(['etcd'], 'leases of the client of etcd', () => {
  it('keeps leases for longer than they last on one stream, and the keys of one go when it is closed', async () => {
    const { etcd, member } = await etcdStage({ heartbeatMs: 20, electionMs: 200 });
    const lease = await etcd.lease(seconds);
    await etcd.transact({ compare: [], success: [{ kind: 'put', key: 'a', value: '', lease: lease.id }] });
    const other = await etcd.lease(seconds);
    const unkept = startWatch(etcd, 'unkept', 1);
    await member.admin.putFor(seconds + 2, 'layerpull/unkept');
    for (let gone = false; !gone; ) gone = (await unkept.next())?.changes[0]?.kind === 'delete';
    expect(lease.lost.aborted).toBe(false);
    expect(other.lost.aborted).toBe(false);
    expect((await etcd.list('')).entries).toHaveLength(1);
    expect(await streamsOf(member)).toBe(1);
    await lease.close();
    expect((await etcd.list('')).entries).toEqual([]);
  });

  it('loses a lease when its member is stopped for as long as it lasts', async () => {
    const { etcd, member } = await etcdStage({ heartbeatMs: 20, electionMs: 200 });
    const lease = await etcd.lease(seconds);
    const { revision } = await etcd.transact({
      compare: [],
      success: [{ kind: 'put', key: 'a', value: '', lease: lease.id }],
    });
    member.freeze();
    await once(lease.lost, 'abort');
    expect(lease.lost.reason).toMatchObject({ code: 'etcd_unreachable' });
    member.thaw();
    const watch = startWatch(etcd, 'a', revision + 1);
    await watch.next();
    expect((await watch.next())?.changes).toMatchObject([{ kind: 'delete', key: 'a' }]);
  });
});

/** How many streams of keep-alives were ever opened there. */
async function streamsOf({ address }: EtcdMember): Promise<number> {
  const { text } = await get(`http://${address}/metrics`);
  const [, count] = /^grpc_server_started_total\{grpc_method="LeaseKeepAlive".*\} (\d+)$/m.exec(text) ?? [];
  return Number(count);
}
