import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import { createHttpClient, type HttpClient } from '../http/client.ts';
import type { ProxySettings } from '../http/proxies.ts';
import { type TlsSettings, tlsLookup } from '../http/trust.ts';
import { createAccess } from './access.ts';
import { createTokens } from './auth.ts';
import { createPasswords } from './basic.ts';
import { createBlobs } from './blobs.ts';
import { type Credentials, noCredentials } from './credentials/credentials.ts';
import type { Reader, RetryBounds } from './documents.ts';
import { endpointOf } from './endpoint.ts';
import type { ImageRegistry } from './image-registry.ts';
import { createInTurn, type MirrorBounds } from './in-turn.ts';
import { speakingEither } from './insecure.ts';
import { createImageServers, type MirrorSources } from './mirrors.ts';
import { formatReference } from './reference.ts';
import { limitingRequests } from './request-rate.ts';
import { resolveImage } from './resolve.ts';
import { namingHosts } from './transport.ts';

export interface RegistryOptions {
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
  readonly log?: Log;
  /** Asked when a registry wants to know who reads. Default: none, an anonymous reader. */
  readonly credentials?: Credentials;
  /** Another transport, which stays open when the registry closes. */
  readonly http?: HttpClient;
  /** For manifests and tokens; blobs are resumed by whoever reads them. */
  readonly bounds?: RetryBounds;
  /** Milliseconds without a byte of a blob until its connection is given up. Default 20,000. */
  readonly stallMs?: number;
  /** Requests a second to all registries together, with those for tokens and redirects. Default 0: no limit. */
  readonly requestsPerSecond?: number;
  /** Other servers to ask before the registry of an image. Default: none. */
  readonly mirrors?: MirrorSources & MirrorBounds;
}

/**
 * Reads images from any registry that speaks the OCI distribution API.
 *
 * @throws LayerpullError `usage` for certificate files of `tls` that cannot be used
 */
export function createRegistry(options: RegistryOptions): ImageRegistry {
  const { clock, plainHttp = false, log = silentLog, credentials = noCredentials } = options;
  const { userAgent, tls = {}, proxies = {}, mirrors = {} } = options;
  const bounds = { onPause: tellingPauses(log), ...options.bounds };
  const insecureHosts = new Set<string>();
  const lax = { ...tls, insecureHosts };
  const http = options.http ?? createHttpClient({ userAgent, refuseLinkLocal: true, tls: lax, proxies });
  const closing = new AbortController();
  const polite = limitingRequests(namingHosts(http), clock, options.requestsPerSecond ?? 0);
  const transport = speakingEither(polite, insecureHosts);
  const closed = closing.signal;
  const tokens = createTokens({ transport, clock, credentials, closed });
  const access = createAccess(transport, tokens, createPasswords(credentials, closed));
  const speaksTls = tlsLookup(tls);
  const endpoint = (registry: string, insecure = false) =>
    endpointOf(registry, plainHttp, (url) => insecure || speaksTls(url));
  const servers = createImageServers({ ...mirrors, endpointOf: endpoint, insecureHosts });
  const inTurn = createInTurn({ servers, clock, mirrors, bounds });
  return {
    async resolve(reference, options, signal) {
      const image = await inTurn.first(reference, signal, (scope, alone) => {
        const reader: Reader = { access, clock, bounds: alone ? bounds : { ...bounds, retries: 0 } };
        return resolveImage(reader, scope, reference, options, signal);
      });
      const { digest } = image.manifest.descriptor;
      log.debug({ image: formatReference(reference), digest, layers: image.layers.length }, 'resolved');
      return image;
    },
    blobs: (reference) =>
      inTurn.blobs(reference, endpoint(reference.registry).base.origin, (scope) =>
        createBlobs(access, scope, { clock, stallMs: options.stallMs }),
      ),
    async close() {
      closing.abort(new Error('the registry client is closed'));
      if (!options.http) await http.close();
    },
  };
}

/** A shorter pause is over before anybody wonders. */
const longPauseMs = 5_000;

/** Layers show their own retries; before there are any, nobody knows what a pull waits for. */
function tellingPauses(log: Log): NonNullable<RetryBounds['onPause']> {
  return (error, ms) => {
    if (ms < longPauseMs) return;
    log.warn({}, `${messageOf(error)}; trying again in ${Math.ceil(ms / 1_000)} s`);
  };
}
