import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { parse } from 'protobufjs';
import { etcdProto } from './etcd-proto.ts';
import type * as messages from './messages.ts';

export type Method<Request, Reply> = MethodDefinition<Request, Reply>;

/** etcd's calls. */
export interface EtcdMethods {
  readonly range: Method<messages.RangeRequest, messages.RangeReply>;
  readonly txn: Method<messages.TxnRequest, messages.TxnReply>;
  readonly watch: Method<messages.WatchRequest, messages.WatchReply>;
  readonly leaseGrant: Method<messages.LeaseGrantRequest, messages.LeaseGrantReply>;
  readonly leaseRevoke: Method<messages.LeaseIdMessage, object>;
  readonly leaseKeepAlive: Method<messages.LeaseIdMessage, messages.LeaseKeepAliveReply>;
  readonly authenticate: Method<messages.AuthenticateRequest, messages.AuthenticateReply>;
}

/** Takes a few milliseconds. */
export function etcdMethods(): EtcdMethods {
  const { root } = parse(etcdProto);
  const definitions = fromJSON(root.toJSON(), { longs: Number, enums: String, defaults: true });
  // The messages of ours are those of the definition.
  const method = <Request, Reply>(service: string, name: string) => {
    const definition = (definitions[`etcdserverpb.${service}`] as ServiceDefinition)[name];
    if (!definition) throw new Error(`no method ${service}/${name}`);
    return definition as unknown as Method<Request, Reply>;
  };
  return {
    range: method('KV', 'Range'),
    txn: method('KV', 'Txn'),
    watch: method('Watch', 'Watch'),
    leaseGrant: method('Lease', 'LeaseGrant'),
    leaseRevoke: method('Lease', 'LeaseRevoke'),
    leaseKeepAlive: method('Lease', 'LeaseKeepAlive'),
    authenticate: method('Auth', 'Authenticate'),
  };
}
