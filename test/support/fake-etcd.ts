import { LayerpullError } from '../../src/core/errors.ts';
import {
  type Etcd,
  type EtcdChange,
  type EtcdChanges,
  EtcdCompacted,
  type EtcdCompare,
  type EtcdEntry,
  type EtcdOperation,
  type EtcdTransaction,
  type LeaseId,
} from '../../src/lock/backends/etcd/client/etcd.ts';

/**
 * What goes wrong with the next transaction: it never arrives, it is done and its answer is lost, etcd refuses it, or
 * etcd does it and says that it refused: so it is with what takes the last of its space.
 */
export type Mishap = 'lost-request' | 'lost-reply' | 'refused' | 'done-and-refused';

/** One etcd in memory, which several clients share, and on which things go wrong when a test says so. */
export interface FakeEtcd {
  client(): FakeEtcdClient;
  /** Forgets all history up to now. */
  compact(): void;
  /** All leases whose keys begin with it end, as when nobody kept them. */
  expire(keyPrefix: string): void;
  keys(prefix?: string): string[];
  get(key: string): Buffer | undefined;
  /** Writes a key as any other user of etcd could. */
  put(key: string, value: string): void;
  revision(): number;
}

export interface FakeEtcdClient extends Etcd {
  /** Each of the next transactions fares like this; the ones after them well. */
  mishaps(...next: Mishap[]): void;
  /** So many of the next lists get no answer. */
  loseLists(count: number): void;
  /** While it is cut off nothing arrives, and watches are broken. */
  cutOff(isCut: boolean): void;
  /** While it lags its watches tell nothing; then all at once. */
  lag(lags: boolean): void;
  /** Its watches tell nothing of the next change, as older versions of etcd may do over a compaction. */
  loseEvent(): void;
  breakWatches(): void;
}

/** As etcd has it by default: `--max-txn-ops`. */
const maxOperations = 128;

interface Watching {
  readonly prefix: string;
  readonly tell: (changes: EtcdChanges) => void;
}

export function createFakeEtcd(): FakeEtcd {
  const store = new Map<string, EtcdEntry & { readonly lease?: LeaseId | undefined }>();
  const history: EtcdChanges[] = [];
  const leases = new Map<LeaseId, AbortController>();
  const watching = new Set<Watching>();
  let [revision, compacted, lastLease] = [1, 0, 0];

  const commit = (changes: readonly EtcdChange[]) => {
    if (changes.length === 0) return;
    const batch = { revision, changes };
    history.push(batch);
    for (const one of watching) one.tell(batch);
  };
  const unreachable = () => new LayerpullError('etcd_unreachable', 'no member of etcd answers');
  const noSpace = () => new LayerpullError('etcd_failed', 'etcd has no space left');

  const holds = (compare: EtcdCompare): boolean => {
    switch (compare.kind) {
      case 'absent':
        return !store.has(compare.key);
      case 'created-at':
        return store.get(compare.key)?.createRevision === compare.revision;
      case 'changed-at':
        return store.get(compare.key)?.modRevision === compare.revision;
      case 'none':
        return ![...store.keys()].some((key) => key.startsWith(compare.prefix));
    }
  };
  const erase = (isMeant: (key: string) => boolean): EtcdChange[] => {
    const meant = [...store.keys()].filter(isMeant).sort();
    for (const key of meant) store.delete(key);
    return meant.map((key) => ({ kind: 'delete', key, revision }));
  };
  const put = (key: string, value: string | Buffer, lease?: LeaseId): EtcdChange => {
    const createRevision = store.get(key)?.createRevision ?? revision;
    const entry = { key, value: Buffer.from(value), createRevision, modRevision: revision };
    store.set(key, lease === undefined ? entry : { ...entry, lease });
    return { kind: 'put', entry };
  };
  const perform = (operation: EtcdOperation): EtcdChange[] => {
    switch (operation.kind) {
      case 'get':
        return [];
      case 'put':
        return [put(operation.key, operation.value, operation.lease)];
      case 'delete':
        return erase((key) => key === operation.key);
      case 'delete-range':
        return erase((key) => key >= operation.from && key < operation.to);
    }
  };
  const transact = ({ compare, success, failure = [] }: EtcdTransaction) => {
    if (Math.max(compare.length, success.length, failure.length) > maxOperations)
      throw new LayerpullError('etcd_failed', 'etcd refused a request: too many operations in txn request');
    const succeeded = compare.every(holds);
    const operations = succeeded ? success : failure;
    const writes = operations.some(({ kind }) => kind !== 'get');
    if (writes) revision += 1;
    commit(operations.flatMap(perform));
    const found = operations.flatMap((one) => (one.kind === 'get' ? [store.get(one.key)] : []));
    return { succeeded, revision, found };
  };
  const endLease = (id: LeaseId) => {
    if (!leases.delete(id)) return;
    revision += 1;
    commit(erase((key) => store.get(key)?.lease === id));
  };

  const client = (): FakeEtcdClient => {
    const mishaps: Mishap[] = [];
    const breaks = new Set<() => void>();
    let [isCut, lags, losesNext] = [false, false, false];
    let listsLost = 0;
    const sleepers = new Set<() => void>();
    const wake = () => {
      const woken = [...sleepers];
      sleepers.clear();
      for (const one of woken) one();
    };
    const breakWatches = () => {
      for (const one of [...breaks]) one();
    };
    const reach = async (signal?: AbortSignal) => {
      await Promise.resolve();
      signal?.throwIfAborted();
      if (isCut) throw unreachable();
    };
    return {
      async transact(transaction, signal) {
        await reach(signal);
        const mishap = mishaps.shift();
        if (mishap === 'lost-request') throw unreachable();
        if (mishap === 'refused') throw noSpace();
        const reply = transact(transaction);
        if (mishap === 'done-and-refused') throw noSpace();
        if (mishap === 'lost-reply') throw unreachable();
        return reply;
      },
      async list(prefix, { revision: at = revision, signal } = {}) {
        await reach(signal);
        listsLost -= 1;
        if (listsLost >= 0) throw unreachable();
        if (at < compacted) throw new EtcdCompacted();
        const entries = [...store.values()].filter(({ key }) => key.startsWith(prefix));
        return { revision: at, entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)) };
      },
      async *watch(prefix, fromRevision, signal) {
        await reach(signal);
        if (fromRevision <= compacted) throw new EtcdCompacted();
        const line = history.filter(({ revision: at }) => at >= fromRevision);
        let isBroken = false;
        const watch: Watching = {
          prefix,
          tell: (changes) => {
            if (!losesNext) line.push(changes);
            losesNext = false;
            wake();
          },
        };
        const breakOff = () => {
          isBroken = true;
          wake();
        };
        watching.add(watch);
        breaks.add(breakOff);
        signal.addEventListener('abort', breakOff);
        try {
          yield { revision: fromRevision - 1, changes: [] };
          while (!isBroken) {
            const next = lags ? undefined : line.shift();
            if (next) {
              const keyOf = (change: EtcdChange) => (change.kind === 'put' ? change.entry.key : change.key);
              yield { ...next, changes: next.changes.filter((change) => keyOf(change).startsWith(prefix)) };
              continue;
            }
            await new Promise<void>((resolve) => sleepers.add(resolve));
          }
          if (!signal.aborted) throw unreachable();
        } finally {
          watching.delete(watch);
          breaks.delete(breakOff);
          signal.removeEventListener('abort', breakOff);
        }
      },
      async lease(_, signal) {
        await reach(signal);
        lastLease += 1;
        const id = String(lastLease) as LeaseId;
        const lost = new AbortController();
        leases.set(id, lost);
        return { id, lost: lost.signal, close: async () => endLease(id) };
      },
      close: async () => {},
      mishaps: (...next) => void mishaps.push(...next),
      cutOff(cut) {
        isCut = cut;
        if (cut) breakWatches();
      },
      lag(does) {
        lags = does;
        wake();
      },
      loseLists(count) {
        listsLost = count;
      },
      loseEvent() {
        losesNext = true;
      },
      breakWatches,
    };
  };

  return {
    client,
    compact() {
      compacted = revision;
      history.length = 0;
    },
    expire(keyPrefix) {
      for (const { key, lease } of [...store.values()]) {
        if (!key.startsWith(keyPrefix) || lease === undefined) continue;
        const lost = leases.get(lease);
        endLease(lease);
        lost?.abort();
      }
    },
    keys: (prefix = '') => [...store.keys()].filter((key) => key.startsWith(prefix)).sort(),
    get: (key) => store.get(key)?.value,
    put(key, value) {
      revision += 1;
      commit([put(key, value)]);
    },
    revision: () => revision,
  };
}
