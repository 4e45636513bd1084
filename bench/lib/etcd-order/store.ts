import { createEtcdRpc, type WatchEvent, type WatchReply, type WatchStream } from '../locks/etcd-rpc.ts';

export type Compare =
  | { readonly kind: 'absent'; readonly key: string }
  /** No key begins with it. */
  | { readonly kind: 'none'; readonly prefix: string }
  | { readonly kind: 'created-at'; readonly key: string; readonly revision: number };

export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'delete-prefix'; readonly prefix: string };

export interface Transaction {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure?: readonly Operation[];
}

export interface TransactionReply {
  readonly succeeded: boolean;
  readonly revision: number;
}

export interface Change {
  readonly kind: 'put' | 'delete';
  readonly key: string;
  /** Empty where the key was deleted. */
  readonly value: string;
  readonly createRevision: number;
}

/** One server's connection to etcd, and what went over it. */
export interface Store {
  ready(): Promise<void>;
  transact(transaction: Transaction): Promise<TransactionReply>;
  /** Resolves once etcd watches. What one transaction changed comes at once. */
  watch(prefix: string, onChanges: (changes: readonly Change[]) => void): Promise<void>;
  readonly written: () => number;
  readonly read: () => number;
  close(): void;
}

export function createStore(address: string): Store {
  const rpc = createEtcdRpc(address);
  let stream: WatchStream | undefined;
  let [written, read] = [0, 0];
  return {
    ready: () => rpc.ready(),
    async transact({ compare, success, failure = [] }) {
      written += 1;
      const reply = await rpc.call('KV', 'Txn', {
        compare: compare.map(toCompare),
        success: success.map(toOperation),
        failure: failure.map(toOperation),
      });
      return toReply(reply);
    },
    watch: (prefix, onChanges) =>
      new Promise((resolve, reject) => {
        stream = rpc.openWatch();
        stream.on('data', ({ created, events }: WatchReply) => {
          if (created) resolve();
          read += events.length;
          onChanges(events.map(toChange));
        });
        stream.once('error', reject);
        stream.write({ createRequest: { ...prefixRange(prefix) } });
      }),
    written: () => written,
    read: () => read,
    close() {
      stream?.cancel();
      rpc.close();
    },
  };
}

function toCompare(compare: Compare): object {
  const created = { result: 'EQUAL', target: 'CREATE' };
  if (compare.kind === 'none') return { ...created, ...prefixRange(compare.prefix), createRevision: 0 };
  const createRevision = compare.kind === 'absent' ? 0 : compare.revision;
  return { ...created, key: Buffer.from(compare.key), createRevision };
}

function toOperation(operation: Operation): object {
  if (operation.kind === 'delete-prefix') return { requestDeleteRange: prefixRange(operation.prefix) };
  const key = Buffer.from(operation.key);
  if (operation.kind === 'delete') return { requestDeleteRange: { key } };
  return { requestPut: { key, value: Buffer.from(operation.value) } };
}

/** Prefixes end with a `/`, which `0` follows. */
function prefixRange(prefix: string) {
  return { key: Buffer.from(prefix), rangeEnd: Buffer.from(`${prefix.slice(0, -1)}0`) };
}

function toReply(reply: object): TransactionReply {
  const { succeeded, header } = reply as { succeeded: boolean; header: { revision: number } };
  return { succeeded, revision: header.revision };
}

function toChange({ type, kv }: WatchEvent): Change {
  const kind = type === 'PUT' ? 'put' : 'delete';
  return { kind, key: kv.key.toString(), value: kv.value.toString(), createRevision: kv.createRevision };
}
