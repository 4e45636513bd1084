import type { Clock } from '../core/clock.ts';
import { createHttpClient, type HttpClient } from '../http/client.ts';
import type { ProxySettings } from '../http/proxies.ts';
import { type TlsSettings, tlsLookup } from '../http/trust.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';
import type { MirrorBounds } from './in-turn.ts';
import { speakingEither } from './insecure.ts';
import { createImageServers, type ImageServers, type MirrorSources } from './mirrors.ts';
import { limitingRequests } from './request-rate.ts';
import { namingHosts, type Transport } from './transport.ts';

export interface LineOptions {
  readonly userAgent: string;
  /**
   * Http for every registry. Those on this machine (localhost, 127.0.0.0/8, ::1) get it without, unless `tls` has
   * something for them. Default false.
   */
  readonly plainHttp?: boolean;
  /** Certificates. Default: what Node trusts. */
  readonly tls?: TlsSettings;
  /** Default: none; the environment is not looked at. */
  readonly proxies?: ProxySettings;
  readonly clock: Clock;
  /** Another transport, which stays open when the line closes. */
  readonly http?: HttpClient;
  /** Requests a second to all registries together, with those for tokens and redirects. Default 0: no limit. */
  readonly requestsPerSecond?: number;
  /** Other servers to ask before the registry of an image. Default: none. */
  readonly mirrors?: MirrorSources & MirrorBounds;
}

/** The way to every registry, whoever reads. */
export interface Line {
  readonly transport: Transport;
  readonly servers: ImageServers;
  /** Where a registry answers. */
  endpoint(registry: string): Endpoint;
  close(): Promise<void>;
}

/** @throws LayerpullError `usage` for certificate files of `tls` that cannot be used */
export function openLine(options: LineOptions): Line {
  const { clock, plainHttp = false, userAgent, tls = {}, proxies = {}, mirrors = {} } = options;
  const insecureHosts = new Set<string>();
  const lax = { ...tls, insecureHosts };
  const http = options.http ?? createHttpClient({ userAgent, refuseLinkLocal: true, tls: lax, proxies });
  const polite = limitingRequests(namingHosts(http), clock, options.requestsPerSecond ?? 0);
  const speaksTls = tlsLookup(tls);
  const endpoint = (registry: string, insecure = false) =>
    endpointOf(registry, plainHttp, (url) => insecure || speaksTls(url));
  return {
    transport: speakingEither(polite, insecureHosts),
    servers: createImageServers({ ...mirrors, endpointOf: endpoint, insecureHosts }),
    endpoint,
    close: async () => {
      if (!options.http) await http.close();
    },
  };
}
