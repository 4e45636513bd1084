import { createEtcdRpc, type WatchReply, type WatchStream } from './etcd-rpc.ts';

/** What happened to a key, and when it was told here (`performance.now`). */
export type OnChange = (change: { readonly kind: 'put' | 'delete'; readonly atMs: number }) => void;

/** The few calls of etcd that a lock is made of. */
export interface EtcdClient {
  /** Waits until etcd answers. @throws after 20 s */
  ready(): Promise<void>;
  grantLease(id: number, ttlSeconds: number): Promise<void>;
  put(key: string, lease: number): Promise<void>;
  /** Writes the key if nobody did; false when somebody has. */
  putIfAbsent(key: string, lease: number): Promise<boolean>;
  delete(key: string): Promise<void>;
  /** One more stream of watches. */
  watcher(): EtcdWatcher;
  close(): void;
}

export interface EtcdWatcher {
  /** Resolves once etcd watches, to what ends that. */
  watch(key: string, onChange: OnChange): Promise<() => void>;
  close(): void;
}

export function createEtcdClient(address: string): EtcdClient {
  const rpc = createEtcdRpc(address);
  return {
    ready: () => rpc.ready(),
    grantLease: async (id, ttlSeconds) =>
      void (await rpc.call('Lease', 'LeaseGrant', { ID: id, TTL: ttlSeconds })),
    put: async (key, lease) => void (await rpc.call('KV', 'Put', { key: Buffer.from(key), lease })),
    putIfAbsent: async (key, lease) => {
      const bytes = Buffer.from(key);
      const reply = await rpc.call('KV', 'Txn', {
        compare: [{ result: 'EQUAL', target: 'CREATE', key: bytes, createRevision: 0 }],
        success: [{ requestPut: { key: bytes, lease } }],
      });
      return 'succeeded' in reply && reply.succeeded === true;
    },
    delete: async (key) => void (await rpc.call('KV', 'DeleteRange', { key: Buffer.from(key) })),
    watcher: () => createWatcher(rpc.openWatch()),
    close: () => rpc.close(),
  };
}

function createWatcher(stream: WatchStream): EtcdWatcher {
  const watches = new Map<number, { readonly onChange: OnChange; readonly created: () => void }>();
  let lastId = 0;
  stream.on('data', ({ watchId, created, events }: WatchReply) => {
    const atMs = performance.now();
    const watched = watches.get(watchId);
    if (created) watched?.created();
    for (const { type } of events) watched?.onChange({ kind: type === 'PUT' ? 'put' : 'delete', atMs });
  });
  return {
    watch: async (key, onChange) => {
      lastId += 1;
      const watchId = lastId;
      await new Promise<void>((created) => {
        watches.set(watchId, { onChange, created });
        stream.write({ createRequest: { key: Buffer.from(key), watchId } });
      });
      return () => {
        watches.delete(watchId);
        stream.write({ cancelRequest: { watchId } });
      };
    },
    close: () => stream.cancel(),
  };
}
