import {
  Client,
  type ClientDuplexStream,
  credentials,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { inRoot } from '../../../test/support/root.ts';

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

interface WatchReply {
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly events: readonly { readonly type: 'PUT' | 'DELETE' }[];
}

type Method = MethodDefinition<object, object>;
type WatchStream = ClientDuplexStream<object, WatchReply>;

export function createEtcdClient(address: string): EtcdClient {
  const file = inRoot('bench', 'lib', 'locks', 'etcd.proto');
  const services = loadSync(file, { longs: Number, enums: String, defaults: true });
  // A connection of its own, as each process has one.
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const method = (service: string, name: string): Method =>
    methodOf(services[`etcdserverpb.${service}`] as ServiceDefinition, name);
  const put = method('KV', 'Put');
  const deleteRange = method('KV', 'DeleteRange');
  const txn = method('KV', 'Txn');
  const leaseGrant = method('Lease', 'LeaseGrant');
  const watch = method('Watch', 'Watch');
  const call = (definition: Method, request: object) => unary(client, definition, request);
  return {
    ready: () =>
      new Promise((resolve, reject) =>
        client.waitForReady(Date.now() + 20_000, (error) => (error ? reject(error) : resolve())),
      ),
    grantLease: async (id, ttlSeconds) => void (await call(leaseGrant, { ID: id, TTL: ttlSeconds })),
    put: async (key, lease) => void (await call(put, { key: Buffer.from(key), lease })),
    putIfAbsent: async (key, lease) => {
      const bytes = Buffer.from(key);
      const reply = await call(txn, {
        compare: [{ result: 'EQUAL', target: 'CREATE', key: bytes, createRevision: 0 }],
        success: [{ requestPut: { key: bytes, lease } }],
      });
      return 'succeeded' in reply && reply.succeeded === true;
    },
    delete: async (key) => void (await call(deleteRange, { key: Buffer.from(key) })),
    watcher: () => createWatcher(openWatch(client, watch)),
    close: () => client.close(),
  };
}

function methodOf(service: ServiceDefinition, name: string): Method {
  const definition = service[name];
  if (!definition) throw new Error(`etcd.proto has no method ${name}`);
  return definition as Method;
}

function unary(client: Client, { path, requestSerialize, responseDeserialize }: Method, request: object) {
  return new Promise<object>((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, reply) => {
      if (error || !reply) reject(error ?? new Error(`${path}: no reply`));
      else resolve(reply);
    });
  });
}

function openWatch(client: Client, { path, requestSerialize, responseDeserialize }: Method): WatchStream {
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  return stream as WatchStream;
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
  // Closing ends the stream with an error of its own.
  stream.on('error', () => {});
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
