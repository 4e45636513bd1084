import { expect, it } from 'vitest';
import { describeWith } from '../../../../support/components.ts';
import { etcdStage } from '../../../../support/etcd-stage.ts';

const put = (value: string | Buffer) =>
  ({ compare: [], success: [{ kind: 'put', key: 'a', value }] }) as const;

describeWith(['etcd'], 'what etcd refuses', () => {
  it('says what to do when its database is full', async () => {
    const { etcd } = await etcdStage({ flags: { 'quota-backend-bytes': '2000000' } });
    const fill = async () => {
      for (;;) await etcd.transact(put(Buffer.alloc(500_000)));
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'etcd_failed',
      exitCode: 7,
      origin: 'lock',
      message: expect.stringContaining('database space exceeded'),
      hint: expect.stringMatching(/etcdctl compact.*etcdctl defrag.*etcdctl alarm disarm/),
    });
    expect((await etcd.list('')).entries).toHaveLength(1);
  });

  it('says which limit a request is too large for', async () => {
    const { etcd } = await etcdStage();
    await expect(etcd.transact(put(Buffer.alloc(2_000_000)))).rejects.toMatchObject({
      code: 'etcd_failed',
      hint: 'see --max-request-bytes of etcd',
    });
    await expect(etcd.transact(put(Buffer.alloc(4_000_000)))).rejects.toMatchObject({
      code: 'etcd_failed',
      hint: 'see --max-request-bytes of etcd',
    });
  });

  it('fails a transaction with more operations than etcd takes', async () => {
    const { etcd } = await etcdStage();
    const success = Array.from(
      { length: 129 },
      (_, index) => ({ kind: 'put', key: `${index}`, value: '' }) as const,
    );
    await expect(etcd.transact({ compare: [], success })).rejects.toMatchObject({
      code: 'etcd_failed',
      message: expect.stringContaining('too many operations'),
    });
  });
});
