import {
  Client,
  type ClientDuplexStream,
  credentials,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { inRoot } from '../../../test/support/root.ts';

export interface WatchReply {
  readonly header: { readonly revision: number };
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly events: readonly WatchEvent[];
}

export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: {
    readonly key: Buffer;
    readonly value: Buffer;
    readonly createRevision: number;
    readonly modRevision: number;
  };
}

export type WatchStream = ClientDuplexStream<object, WatchReply>;

/** One connection to etcd, and the calls of `etcd.proto` on it. */
export interface EtcdRpc {
  /** Waits until etcd answers. @throws after 20 s */
  ready(): Promise<void>;
  /** A request of `etcdserverpb.SERVICE` and its reply, as the fields of their messages. */
  call(service: string, method: string, request: object): Promise<object>;
  openWatch(): WatchStream;
  close(): void;
}

type Method = MethodDefinition<object, object>;

export function createEtcdRpc(address: string): EtcdRpc {
  const file = inRoot('test', 'support', 'etcd.proto');
  const services = loadSync(file, { longs: Number, enums: String, defaults: true });
  // A connection of its own, as each process has one.
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const method = (service: string, name: string): Method =>
    methodOf(services[`etcdserverpb.${service}`] as ServiceDefinition, name);
  return {
    ready: () =>
      new Promise((resolve, reject) =>
        client.waitForReady(Date.now() + 20_000, (error) => (error ? reject(error) : resolve())),
      ),
    call: (service, name, request) => unary(client, method(service, name), request),
    openWatch: () => openWatch(client, method('Watch', 'Watch')),
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
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize) as WatchStream;
  // Closing ends the stream with an error of its own.
  stream.on('error', () => {});
  return stream;
}
