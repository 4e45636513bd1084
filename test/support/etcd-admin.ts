import {
  type ChannelCredentials,
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { inRoot } from './root.ts';

/** What tests ask of one member of etcd beside its keys. Every call fails after five seconds. */
export interface EtcdAdmin {
  /** Ids of the member and of the one that leads; '0': it knows none. */
  status(): Promise<{ readonly id: string; readonly leader: string }>;
  /** Answers with the revision. */
  put(key: string, value: string | Buffer): Promise<number>;
  /** A key that goes after so many seconds. */
  putFor(seconds: number, key: string): Promise<void>;
  /** Forgets what was before this revision. */
  compact(revision: number): Promise<void>;
  /** Makes users, each of which may read and write what begins with its prefix, and asks for one from now on. */
  enableUsers(users: readonly EtcdUser[]): Promise<void>;
  /** Has the tokens of a user refused from now on. */
  forgetTokens(user: EtcdUser): Promise<void>;
  close(): void;
}

export interface EtcdUser {
  readonly name: string;
  readonly password: string;
  readonly prefix: string;
}

interface Reply {
  readonly header: { readonly memberId: string; readonly revision: string };
  readonly leader: string;
  readonly ID: string;
  readonly token: string;
}

const root = { name: 'root', password: 'root' } as const;

const patienceMs = 5_000;

export function createEtcdAdmin(
  address: string,
  tls?: Readonly<Record<'ca' | 'cert' | 'key', string>>,
): EtcdAdmin {
  const pem = (name: 'ca' | 'cert' | 'key') => Buffer.from(tls?.[name] ?? '');
  const secured = (): ChannelCredentials => credentials.createSsl(pem('ca'), pem('key'), pem('cert'));
  const client = new Client(address, tls ? secured() : credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 200,
    'grpc.ssl_target_name_override': 'localhost',
  });
  const services = loadSync(inRoot('test', 'support', 'etcd.proto'), {
    longs: String,
    enums: String,
    defaults: true,
  });
  const call = (service: string, name: string, request: object, metadata = new Metadata()) => {
    const method = (services[`etcdserverpb.${service}`] as ServiceDefinition)[name];
    if (!method) throw new Error(`etcd.proto has no method ${name}`);
    return unary(client, method, request, metadata);
  };
  const addUser = async ({ name, password, prefix }: EtcdUser) => {
    await call('Auth', 'UserAdd', { name, password });
    await call('Auth', 'RoleAdd', { name });
    await call('Auth', 'UserGrantRole', { user: name, role: name });
    const key = Buffer.from(prefix);
    const end = Buffer.from(
      `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`,
    );
    const perm = { permType: 'READWRITE', key, rangeEnd: end };
    await call('Auth', 'RoleGrantPermission', { name, perm });
  };
  return {
    status: async () => {
      const { header, leader } = await call('Maintenance', 'Status', {});
      return { id: header.memberId, leader };
    },
    put: async (key, value) => {
      const { header } = await call('KV', 'Put', { key: Buffer.from(key), value: Buffer.from(value) });
      return Number(header.revision);
    },
    putFor: async (seconds, key) => {
      const { ID: lease } = await call('Lease', 'LeaseGrant', { TTL: seconds });
      await call('KV', 'Put', { key: Buffer.from(key), lease });
    },
    compact: async (revision) => void (await call('KV', 'Compact', { revision, physical: true })),
    enableUsers: async (users) => {
      await call('Auth', 'UserAdd', root);
      await call('Auth', 'RoleAdd', { name: 'root' });
      await call('Auth', 'UserGrantRole', { user: 'root', role: 'root' });
      for (const user of users) await addUser(user);
      await call('Auth', 'AuthEnable', {});
    },
    forgetTokens: async ({ name, password }) => {
      const metadata = new Metadata();
      metadata.set('token', (await call('Auth', 'Authenticate', root)).token);
      await call('Auth', 'UserChangePassword', { name, password }, metadata);
    },
    close: () => client.close(),
  };
}

function unary(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<object, object>,
  request: object,
  metadata: Metadata,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + patienceMs };
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      options,
      (error, reply) => {
        if (error || !reply) reject(error ?? new Error(`${path}: no reply`));
        else resolve(reply as Reply);
      },
    );
  });
}
