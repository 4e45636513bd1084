import { Calls } from './calls.ts';
import type { Etcd, EtcdOptions } from './etcd.ts';
import { Keys } from './keys.ts';
import { Leases } from './leases.ts';
import { list } from './list.ts';
import { Members } from './members.ts';
import { etcdMethods } from './methods.ts';
import { transactionReply, txnRequest } from './transactions.ts';
import { watch } from './watch.ts';

const defaultCallMs = 2_000;

/**
 * etcd through gRPC. Connections are made when they are needed. A call that fails at one member goes to the next, a few
 * rounds at most and for no longer than about `callMs` for each member; a transaction only while it surely was not done.
 */
export function createEtcd(options: EtcdOptions): Etcd {
  const { prefix, clock, user, callMs = defaultCallMs } = options;
  const calls = new Calls(new Members(options), { methods: etcdMethods(), clock, callMs, prefix, user });
  const keys = new Keys(prefix);
  const leases = new Leases(calls);
  let closed: Promise<void> | undefined;
  return {
    transact: async (transaction, signal) => {
      const request = txnRequest(keys, transaction);
      const reply = await calls.call(calls.methods.txn, request, { signal, ms: transaction.withinMs });
      return transactionReply(keys, transaction, reply);
    },
    list: async (below, listOptions = {}) => await list(calls, keys, below, listOptions),
    watch: (below, fromRevision, signal) => watch(calls, keys, below, fromRevision, signal),
    lease: async (ttlSeconds, signal) => await leases.grant(ttlSeconds, signal),
    close: async () => {
      closed ??= leases.close().then(() => calls.close());
      await closed;
    },
  };
}
