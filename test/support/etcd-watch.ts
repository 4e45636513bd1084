import type { Etcd, EtcdChanges } from '../../src/lock/backends/etcd/client/etcd.ts';
import { onCleanup } from './cleanup.ts';

export interface StartedWatch {
  /** Undefined once it ended. @throws what the watch throws */
  next(): Promise<EtcdChanges | undefined>;
  /** The values of the next so many puts. */
  values(count: number): Promise<string[]>;
  abort(): void;
}

/** A watch that ends with the test. */
export function startWatch(etcd: Etcd, prefix: string, fromRevision: number): StartedWatch {
  const ended = new AbortController();
  const changes = etcd.watch(prefix, fromRevision, ended.signal)[Symbol.asyncIterator]();
  onCleanup(() => ended.abort());
  const next = async () => {
    const result = await changes.next();
    return result.done ? undefined : result.value;
  };
  const left: string[] = [];
  return {
    next,
    values: async (count) => {
      while (left.length < count) {
        const batch = await next();
        if (!batch) throw new Error('the watch ended');
        for (const change of batch.changes)
          if (change.kind === 'put') left.push(change.entry.value.toString());
      }
      return left.splice(0, count);
    },
    abort: () => ended.abort(),
  };
}
