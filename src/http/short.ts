import { abortable, startDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { retry } from '../core/retry.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './client.ts';
import { askInTurn, NoAnswer, type Patience } from './in-turn.ts';
import { readRetryAfter } from './retry-after.ts';
import type { Servers } from './servers.ts';
import { urlOn } from './servers.ts';
import { ReplyTooLong, TransportError } from './transport.ts';

export interface ShortClientOptions {
  readonly http: HttpClient;
  readonly servers: Servers;
  readonly clock: Clock;
  /** Milliseconds for one try, from connecting to the last byte, at however many servers. Default 30,000. */
  readonly timeoutMs?: number;
  /** How long a server may be silent while there are others. Default 750 and 3,000 milliseconds. */
  readonly patience?: Patience;
  /** Extra tries. Default 3. */
  readonly retries?: number;
  /**
   * Milliseconds between two tries; each pause is between half of it and all. Default 1,000. A server that asks for
   * longer gets it, up to ten seconds.
   */
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
  /** Hears of each reply that is not handed back, because the request is sent once more. */
  readonly onUnavailable?: ((reply: ShortReply) => void) | undefined;
}

export interface ShortReply {
  readonly server: URL;
  readonly status: number;
  /** The JSON of the reply; undefined where there is none. */
  readonly body: unknown;
  /** How many servers were asked, where none of them gave a better one. */
  readonly tried?: number;
}

/** A request with a small JSON reply, with a timeout in all and a few tries. */
export interface ShortClient {
  /**
   * Tries again on network errors and on 502, 503 and 504: at once at the next server if there are several, and all of
   * them once more after a pause. What may be repeated does not wait for a silent server alone, and a 401 counts where
   * all say so. Every other reply is handed back whatever its status.
   * @throws TransportError
   */
  send(request: ShortRequest): Promise<ShortReply>;
}

/** No reply takes long to make, so a server that is silent for as long as this is worth a question elsewhere. */
export const standardPatience: Patience = { askNextMs: 750, leaveMs: 3_000 };
/** The longest pause that a server may ask for: sessions end without a word for 15 seconds. */
const maxRetryAfterMs = 10_000;

export function createShortClient(options: ShortClientOptions): ShortClient {
  return { send: (request) => sendWithRetries(options, request) };
}

/** Carries a reply that is worth another try through `retry`. */
class Unavailable extends Error {
  readonly reply: ShortReply;
  readonly retryAfterMs: number | undefined;

  constructor(reply: ShortReply, retryAfterMs: number | undefined) {
    super(`answered ${reply.status}`);
    this.reply = reply;
    this.retryAfterMs = retryAfterMs;
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
      shouldRetry: (error) => mayRepeat(error, repeatable) && !isLasting(error),
      onPause: (error) => {
        if (error instanceof Unavailable) request.onUnavailable?.(error.reply);
      },
      signal: request.signal,
    });
  } catch (error) {
    if (error instanceof Unavailable) return error.reply;
    throw error;
  }
}

function mayRepeat(error: unknown, repeatable: boolean): boolean {
  if (error instanceof ReplyTooLong) return false;
  return repeatable || (error instanceof TransportError && error.unsent);
}

/** The same server will not change its mind soon. */
function isLasting(error: unknown): boolean {
  if (error instanceof TransportError) return error.isLasting;
  return error instanceof Unavailable && !isOut(error.reply);
}

function isOut({ status }: ShortReply): boolean {
  return status >= 502 && status <= 504;
}

/** Another server may know the token already, or still; and where no JSON comes from, something else listens. */
function isWorthAnother(reply: ShortReply): boolean {
  const { status, body } = reply;
  return isOut(reply) || status === 401 || (body === undefined && (status === 200 || status >= 400));
}

/** One try, at as many servers as it takes. */
async function sendToAny(options: ShortClientOptions, request: ShortRequest): Promise<ShortReply> {
  const { http, servers, clock, patience = standardPatience } = options;
  const { repeatable = true } = request;
  const timeoutMs = request.timeoutMs ?? options.timeoutMs ?? 30_000;
  const { signal, end } = startDeadline(clock, timeoutMs, request.signal, late);
  const ask = (server: URL, ended: AbortSignal) => sendOnce(http, request, server, ended);
  try {
    if (servers.count === 1) return await ask(servers.current(), signal);
    const mayGoOn = (error: unknown) => mayRepeat(error, repeatable);
    const turn = { servers, clock, patience, signal, ask, mayOverlap: repeatable, mayGoOn };
    return (await askInTurn(turn)).value;
  } catch (error) {
    request.signal?.throwIfAborted();
    throw error instanceof NoAnswer ? spokesman(error) : error;
  } finally {
    end();
  }
}

function late(): Error {
  return Object.assign(new Error('no reply in time'), { code: 'ETIMEDOUT' });
}

/** The last failure that may pass speaks for all of them. */
function spokesman({ failures }: NoAnswer): unknown {
  const error = (failures.findLast(({ error }) => !isLasting(error)) ?? failures.at(-1))?.error;
  const tried = failures.length;
  if (error instanceof TransportError) return new TransportError(error.server, error.cause, tried);
  if (error instanceof Unavailable) return new Unavailable({ ...error.reply, tried }, error.retryAfterMs);
  return error;
}

async function sendOnce(
  http: HttpClient,
  request: ShortRequest,
  server: URL,
  signal: AbortSignal,
): Promise<ShortReply> {
  try {
    const { retryAfterMs, ...reply } = await abortable(exchange(http, request, server, signal), signal);
    if (isWorthAnother(reply)) throw new Unavailable(reply, retryAfterMs);
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
): Promise<ShortReply & { readonly retryAfterMs: number | undefined }> {
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
  const askedMs = readRetryAfter(response.headers);
  const retryAfterMs = askedMs === undefined ? undefined : Math.min(maxRetryAfterMs, askedMs);
  return { server, status: response.status, body: await readJson(response, maxReplyBytes), retryAfterMs };
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
