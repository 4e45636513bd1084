import type { EtcdCompare, EtcdEntry, EtcdOperation, EtcdTransaction, EtcdTransactionReply } from './etcd.ts';
import type { Keys } from './keys.ts';
import type { CompareMessage, OperationMessage, TxnReply, TxnRequest } from './messages.ts';

export function txnRequest(keys: Keys, transaction: EtcdTransaction): TxnRequest {
  return {
    compare: transaction.compare.map((compare) => compareMessage(keys, compare)),
    success: transaction.success.map((operation) => operationMessage(keys, operation)),
    failure: (transaction.failure ?? []).map((operation) => operationMessage(keys, operation)),
  };
}

export function transactionReply(
  keys: Keys,
  { success, failure = [] }: EtcdTransaction,
  { header, succeeded, responses }: TxnReply,
): EtcdTransactionReply {
  const done = succeeded ? success : failure;
  const found: (EtcdEntry | undefined)[] = [];
  for (const [index, { kind }] of done.entries()) {
    if (kind !== 'get') continue;
    const keyValue = responses[index]?.responseRange?.kvs[0];
    found.push(keyValue && keys.entryOf(keyValue));
  }
  return { succeeded, revision: header.revision, found };
}

function compareMessage(keys: Keys, compare: EtcdCompare): CompareMessage {
  switch (compare.kind) {
    case 'created-at':
      return { ...created(compare.revision), key: keys.one(compare.key) };
    case 'changed-at':
      return { result: 'EQUAL', target: 'MOD', key: keys.one(compare.key), modRevision: compare.revision };
    case 'absent':
      return { ...created(0), key: keys.one(compare.key) };
    case 'none':
      // Holds where every key of the range was made at 0, which none ever is.
      return { ...created(0), ...keys.below(compare.prefix) };
  }
}

function created(revision: number) {
  return { result: 'EQUAL', target: 'CREATE', createRevision: revision } as const;
}

function operationMessage(keys: Keys, operation: EtcdOperation): OperationMessage {
  switch (operation.kind) {
    case 'put': {
      const { key, value, lease } = operation;
      const put = { key: keys.one(key), value: typeof value === 'string' ? Buffer.from(value) : value };
      return { requestPut: lease === undefined ? put : { ...put, lease: Number(lease) } };
    }
    case 'delete':
      return { requestDeleteRange: { key: keys.one(operation.key) } };
    case 'delete-range':
      return { requestDeleteRange: { key: keys.one(operation.from), rangeEnd: keys.one(operation.to) } };
    case 'get':
      return { requestRange: { key: keys.one(operation.key) } };
  }
}
