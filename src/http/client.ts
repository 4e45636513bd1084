import { Agent, request } from 'undici';
import { refusingLinkLocal } from './lookup.ts';

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
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. Repeated fields are joined with a comma and a blank. */
  readonly headers: Readonly<Record<string, string>>;
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

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const agent = new Agent({
    connect: {
      timeout: options.connectTimeoutMs ?? 10_000,
      ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
      ...(options.refuseLinkLocal ? { lookup: refusingLinkLocal() } : {}),
    },
    ...(options.connections === undefined ? {} : { connections: options.connections }),
    keepAliveTimeout: 30_000,
  });
  return {
    send: (httpRequest) => send(agent, options.userAgent, httpRequest),
    close: () => agent.destroy(),
  };
}

async function send(agent: Agent, userAgent: string, options: HttpRequest): Promise<HttpResponse> {
  const { method, url, headers, body, headersTimeoutMs = 30_000, bodyTimeoutMs = 30_000, signal } = options;
  const response = await request(url, {
    dispatcher: agent,
    method,
    headers: { 'user-agent': userAgent, 'accept-encoding': 'identity', ...headers },
    body: body ?? null,
    headersTimeout: headersTimeoutMs,
    bodyTimeout: bodyTimeoutMs,
    ...(signal ? { signal } : {}),
  });
  return {
    status: response.statusCode,
    headers: flatten(response.headers),
    body: response.body,
    discard: () => discard(response.body),
  };
}

/** Reads a short rest so that the connection can be used again; drops a long one. */
async function discard(body: { dump(options: { limit: number }): Promise<void> }): Promise<void> {
  await body.dump({ limit: 65_536 }).catch(() => {});
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
