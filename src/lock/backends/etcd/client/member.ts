import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  connectivityState,
  credentials,
} from '@grpc/grpc-js';
import type { EtcdOptions } from './etcd.ts';

/** Far above the largest reply: a page of a list, or the changes that one request to etcd made. */
const maxReplyBytes = 64 * 1_048_576;

const channelOptions: ChannelOptions = {
  // A connection of its own.
  'grpc.use_local_subchannel_pool': 1,
  // Neither a proxy of the environment nor what DNS has beside addresses.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  // Whoever calls decides what is tried again.
  'grpc.enable_retries': 0,
  // A member that came back is used soon.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  'grpc.max_receive_message_length': maxReplyBytes,
  // No pings of HTTP/2: etcd cuts off clients that send them more often than its operator set (5 s by default) or while
  // nothing else is under way. Calls have deadlines, keep-alives of leases have answers, and watches ask for some.
};

/** A member of etcd and the connection to it, made when it is needed. */
export class Member {
  /** `HOST:PORT` */
  readonly address: string;
  readonly #credentials: ChannelCredentials;
  readonly #options: ChannelOptions;
  #client: Client | undefined;

  constructor(address: string, tls: EtcdOptions['tls']) {
    this.address = address;
    const host = address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    this.#credentials = tls ? secured(host, tls) : credentials.createInsecure();
    // The name that TLS asks for must be none of an address (RFC 6066, section 3); what counts is checked by the host.
    this.#options =
      tls && isIP(host) > 0 ? { ...channelOptions, 'grpc.ssl_target_name_override': 'etcd' } : channelOptions;
  }

  get client(): Client {
    this.#client ??= new Client(`dns:${this.address}`, this.#credentials, this.#options);
    return this.#client;
  }

  get isConnected(): boolean {
    return this.client.getChannel().getConnectivityState(true) === connectivityState.READY;
  }

  /**
   * Has what comes go over a new connection: one that is silent may stay so for minutes after its member is back. What is
   * under way on the old one goes on.
   */
  disconnect(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

function secured(host: string, { ca, cert, key }: NonNullable<EtcdOptions['tls']>): ChannelCredentials {
  const bytes = (pem: string | undefined) => (pem === undefined ? null : Buffer.from(pem));
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert), {
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
}
