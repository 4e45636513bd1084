import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { retry } from '../core/retry.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './client.ts';
import type { Servers } from './servers.ts';
import { urlOn } from './servers.ts';
import { ReplyTooLong, TransportError } from './transport.ts';

export interface ShortClientOptions {
  readonly http: HttpClient;
  readonly servers: Servers;
  readonly clock: Clock;
  /** Milliseconds for one try, from connecting to the last byte. Default 30,000. */
  readonly timeoutMs?: number;
  /** Extra tries. Default 3. */
  readonly retries?: number;
  /** Milliseconds between two tries; each pause is between half of it and all. Default 1,000. */
  readonly retryDelayMs?: number;
  /** Random number in [0, 1) for those pauses. Default `Math.random`. */
  readonly random?: () => number;
}

export interface ShortRequest {
  readonly method: HttpRequest['method'];
  /** From the root of the server, with its query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** Whether the server recognises the same request when it comes twice. Default true. */
  readonly repeatable?: boolean;
  readonly timeoutMs?: number;
  readonly retries?: number;
  /** Longest reply, in bytes. Default 64 KiB. */
  readonly maxReplyBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ShortReply {
  readonly server: URL;
  readonly status: number;
  /** The JSON of the reply; undefined where there is none. */
  readonly body: unknown;
}

/** A request with a small JSON reply, with a timeout in all and a few tries. */
export interface ShortClient {
  /**
   * Tries again on network errors and on 502, 503 and 504, on the next server if there are several; every other
   * reply is handed back whatever its status.
   * @throws TransportError
   */
  send(request: ShortRequest): Promise<ShortReply>;
}

export function createShortClient(options: ShortClientOptions): ShortClient {
  return { send: (request) => sendWithRetries(options, request) };
}

/** Carries a reply that is worth another try through `retry`. */
class Unavailable extends Error {
  readonly reply: ShortReply;

  constructor(reply: ShortReply) {
    super(`answered ${reply.status}`);
    this.reply = reply;
  }
}

async function sendWithRetries(options: ShortClientOptions, request: ShortRequest): Promise<ShortReply> {
  const { repeatable = true } = request;
  try {
    return await retry(() => sendToAny(options, request), {
      clock: options.clock,
      retries: request.retries ?? options.retries ?? 3,
      delayMs: options.retryDelayMs ?? 1_000,
      ...(options.random ? { random: options.random } : {}),
      shouldRetry: (error) => mayRepeat(error, repeatable),
      signal: request.signal,
    });
  } catch (error) {
    if (error instanceof Unavailable) return error.reply;
    throw error;
  }
}

function mayRepeat(error: unknown, repeatable: boolean): boolean {
  if (error instanceof ReplyTooLong || (error instanceof TransportError && error.isLasting)) return false;
  return repeatable || (error instanceof TransportError && error.unsent);
}

/** One try: a server that cannot be connected to costs no pause while another is left. */
async function sendToAny(options: ShortClientOptions, request: ShortRequest): Promise<ShortReply> {
  const { servers } = options;
  for (let left = servers.count; ; left -= 1) {
    const server = servers.current();
    try {
      return await sendOnce(options, request, server);
    } catch (error) {
      request.signal?.throwIfAborted();
      servers.failed(server);
      if (left <= 1 || !(error instanceof TransportError && error.unsent)) throw error;
    }
  }
}

async function sendOnce(
  options: ShortClientOptions,
  request: ShortRequest,
  server: URL,
): Promise<ShortReply> {
  const timeoutMs = request.timeoutMs ?? options.timeoutMs ?? 30_000;
  const late = () => Object.assign(new Error('no reply in time'), { code: 'ETIMEDOUT' });
  try {
    const reply = await withDeadline(options.clock, timeoutMs, request.signal, late, (signal) =>
      exchange(options.http, request, server, signal),
    );
    if (reply.status >= 502 && reply.status <= 504) throw new Unavailable(reply);
    return reply;
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof Unavailable || error instanceof ReplyTooLong) throw error;
    throw new TransportError(server, error);
  }
}

async function exchange(
  http: HttpClient,
  request: ShortRequest,
  server: URL,
  signal: AbortSignal,
): Promise<ShortReply> {
  const { method, path, body, maxReplyBytes = 65_536 } = request;
  const response = await http.send({
    method,
    url: urlOn(server, path),
    headers: { accept: 'application/json', ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
    // The deadline of the whole exchange is the one that counts.
    headersTimeoutMs: 0,
    bodyTimeoutMs: 0,
    signal,
  });
  return { server, status: response.status, body: await readJson(response, maxReplyBytes) };
}

/** The JSON of a response, or undefined where its body is empty or something else. */
export async function readJson(response: HttpResponse, maxBytes: number): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.length;
    if (bytes > maxBytes) throw new ReplyTooLong(maxBytes);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    return undefined;
  }
}
