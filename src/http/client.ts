import { abortable, startDeadline } from '../core/abort.ts';
import { systemClock } from '../core/clock.ts';
import type { ClientTls } from './fleet-trust.ts';
import { refuseLinkLocalTarget } from './lookup.ts';
import type { ProxySettings } from './proxies.ts';
import { isUnknownAuthority, ProxyError, refusedBy } from './proxy-error.ts';
import { createRoutes, type Route, type Routes } from './routes.ts';
import type { TlsSettings } from './trust.ts';

export interface HttpClientOptions {
  readonly userAgent: string;
  /** Reach every URL through this Unix socket. */
  readonly socketPath?: string;
  /** Milliseconds to connect. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Connections per origin. Default: no limit. */
  readonly connections?: number;
  /** Refuse host names that the name server answers with a link-local address. Default false. */
  readonly refuseLinkLocal?: boolean;
  /** Certificates. Default: what Node trusts. */
  readonly tls?: TlsSettings;
  /** Default: none. */
  readonly proxies?: ProxySettings;
  /** The same certificates for every host, asked for with each new connection; in place of `tls` and `proxies`. */
  readonly ownTls?: () => ClientTls | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until the response headers. Default 30,000; 0 waits for ever. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds between two pieces of the body. Default 30,000; 0 waits for ever. */
  readonly bodyTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** For a client that holds requests back: called with true when this one has to wait, with false when it goes. */
  readonly onHold?: ((holding: boolean) => void) | undefined;
  /** The URL came from a server and not from the user: with `refuseLinkLocal` it is looked at twice. Default false. */
  readonly isForeign?: boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. Repeated fields are joined with a comma and a blank. */
  readonly headers: Readonly<Record<string, string>>;
  /** What answered, where that is another URL than that of the request. */
  readonly url?: URL;
  /** Read it to the end, leave its loop early, or `discard` the response: each frees the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): Promise<void>;
}

/** One request, one response: no redirects, no retries, no decompression. Rejects with the transport's error. */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Closes idle connections and ends those in use. Idempotent. */
  close(): Promise<void>;
}

/** @throws LayerpullError `usage` for certificate files that cannot be used */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const routes = createRoutes(options);
  return {
    send: (httpRequest) => send(routes, options, httpRequest),
    close: () => routes.close(),
  };
}

async function send(routes: Routes, options: HttpClientOptions, request: HttpRequest): Promise<HttpResponse> {
  const { url } = request;
  const found = routes.to(url);
  const route = found instanceof Promise ? await found : found;
  if (request.isForeign && options.refuseLinkLocal) await refuseLinkLocalTarget(url.hostname, route.proxy);
  try {
    return await sendBy(route, options, request);
  } catch (error) {
    // Nothing was sent before the certificate was looked at.
    const wider = isUnknownAuthority(error) ? await routes.wider(url, route) : undefined;
    if (!wider) throw error;
    return await sendBy(wider, options, request);
  }
}

async function sendBy(route: Route, options: HttpClientOptions, request: HttpRequest): Promise<HttpResponse> {
  const { method, body, headersTimeoutMs = 30_000, bodyTimeoutMs = 30_000, signal } = request;
  const { proxy, isForwarded } = route;
  const sending = route.agent.request({
    ...targetOf(route, request),
    method,
    headers: headersOf(route, options.userAgent, request),
    body: body ?? null,
    headersTimeout: headersTimeoutMs,
    bodyTimeout: bodyTimeoutMs,
    ...(signal ? { signal } : {}),
  });
  // Undici does not look at the signal before it has a connection.
  const response = await (signal ? abortable(sending, signal) : sending).catch((error: unknown) => {
    signal?.throwIfAborted();
    // The only connection was the one to the proxy.
    throw proxy && isForwarded ? new ProxyError(proxy, 'unreachable', { cause: error }) : error;
  });
  if (proxy && isForwarded && response.statusCode === 407) {
    await discard(response.body);
    throw refusedBy(proxy, response.statusCode);
  }
  return {
    status: response.statusCode,
    headers: flatten(response.headers),
    body: response.body,
    discard: () => discard(response.body),
  };
}

/** A proxy for http takes the whole URL in place of a path (RFC 9112, section 3.2.2). */
function targetOf({ proxy, isForwarded }: Route, { url }: HttpRequest): { origin: string; path: string } {
  const path = `${url.pathname}${url.search}`;
  if (!proxy || !isForwarded) return { origin: url.origin, path };
  return { origin: proxy.url.origin, path: `${url.origin}${path}` };
}

function headersOf(
  { proxy, isForwarded }: Route,
  userAgent: string,
  { url, headers }: HttpRequest,
): Record<string, string> {
  const usual = { 'user-agent': userAgent, 'accept-encoding': 'identity', ...headers };
  if (!proxy || !isForwarded) return usual;
  const { authorization } = proxy;
  const named = { host: url.host, ...usual };
  return authorization === undefined ? named : { ...named, 'proxy-authorization': authorization };
}

/** Long for the rest of an answer; whoever drips it must not keep anybody waiting. */
const discardWithinMs = 1_000;

/** Reads a short rest so that the connection can be used again; drops a long one, and one that does not come. */
async function discard(body: {
  dump(options: { limit: number; signal: AbortSignal }): Promise<void>;
}): Promise<void> {
  const late = () => new Error('the rest did not come');
  const { signal, end } = startDeadline(systemClock, discardWithinMs, undefined, late);
  await body.dump({ limit: 65_536, signal }).catch(() => {});
  end();
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
