import { systemClock } from '../../src/core/clock.ts';
import type { Etcd, EtcdOptions } from '../../src/lock/backends/etcd/client/etcd.ts';
import { createEtcd } from '../../src/lock/backends/etcd/client/etcd-client.ts';
import { onCleanup } from './cleanup.ts';
import { type EtcdMember, type EtcdStart, startEtcd } from './etcd.ts';

/** A client of these members that ends with the test. */
export function etcdClient(options: Pick<EtcdOptions, 'endpoints'> & Partial<EtcdOptions>): Etcd {
  const etcd = createEtcd({ prefix: 'layerpull/', clock: systemClock, ...options });
  onCleanup(() => etcd.close());
  return etcd;
}

/** One member and a client of it. */
export async function etcdStage(
  start: EtcdStart = {},
  options: Partial<EtcdOptions> = {},
): Promise<{ readonly member: EtcdMember; readonly etcd: Etcd }> {
  const member = await startEtcd(start);
  return { member, etcd: etcdClient({ endpoints: [member.address], ...options }) };
}
