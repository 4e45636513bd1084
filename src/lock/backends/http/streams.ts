import type { Clock } from '../../../core/clock.ts';
import { type ErrorCode, isLayerpullError, messageOf } from '../../../core/errors.ts';
import type { HttpClient, HttpResponse } from '../../../http/client.ts';
import { askInTurn, NoAnswer, type Patience } from '../../../http/in-turn.ts';
import type { Servers } from '../../../http/servers.ts';
import { urlOn } from '../../../http/servers.ts';
import { readJson } from '../../../http/short.ts';
import type { ServerSentEvent } from '../../../http/sse.ts';
import { readEvents } from '../../../http/sse.ts';
import { TransportError } from '../../../http/transport.ts';
import type { Parsed } from '../../protocol/parse.ts';
import { StreamMoved } from '../../stream-moved.ts';
import type { Label } from './errors.ts';
import { callError, protocolError, replyError } from './errors.ts';
import type { StreamMemory, StreamTrack } from './stream-memory.ts';

export interface StreamOptions {
  readonly http: HttpClient;
  readonly servers: Servers;
  readonly label: Label;
  readonly clock: Clock;
  readonly memory: StreamMemory;
  /** Milliseconds until the answer begins. */
  readonly timeoutMs: number;
  /** Milliseconds without a byte after which a stream is dead; the server sends some every five seconds. */
  readonly silenceMs: number;
}

/** What a stream's event means: something, nothing, or that the stream ends as it should. */
export type Decoded<Event> = Parsed<Event> | 'ignored' | 'end';

export type DecodeEvent<Event> = (event: ServerSentEvent) => Decoded<Event>;

/** Heartbeats bring the news meanwhile, so a stream may wait for longer than what somebody waits for. */
const patience: Patience = { askNextMs: 3_000, leaveMs: 3_000 };

/**
 * One long request, without a limit in time. Ends when `signal` aborts or the server says that it is over. One that
 * follows a broken one waits for as long as that server asked, and tells it which event was the last. Of several servers
 * it is opened at the current one, or where that fails at the next, and ends as soon as another one is the current.
 * @throws LayerpullError `lock_unreachable` when the stream breaks, and what `replyError` makes of a refusal
 * @throws StreamMoved when there is another server to open it at
 */
export async function* openStream<Event>(
  options: StreamOptions,
  path: string,
  decode: DecodeEvent<Event>,
  signal: AbortSignal,
): AsyncGenerator<Event, void, undefined> {
  if (signal.aborted) return;
  const { servers } = options;
  const track = options.memory.begin(path);
  const move = new AbortController();
  const opening = { path, track, signal: AbortSignal.any([signal, move.signal]) };
  const opened = await open(options, opening, signal);
  if (!opened) return;
  const { server, response } = opened;
  const follow = () => {
    if (servers.current() !== server) move.abort(new Error('another server answers better'));
  };
  const stop = servers.onMove(follow);
  follow();
  try {
    yield* eventsOf(options, server, { response, decode, track });
    throw new Error('connection closed');
  } catch (error) {
    if (error instanceof Ended || signal.aborted) return;
    if (move.signal.aborted) throw moved(options.label, server, error);
    const isNew = track.broke() < servers.count;
    servers.leave(server);
    throw isNew ? moved(options.label, server, error) : callError(options.label, server, error, signal);
  } finally {
    stop();
  }
}

/** The stream is over because the server said so. */
class Ended extends Error {}

interface Opening {
  readonly path: string;
  readonly track: StreamTrack;
  readonly signal: AbortSignal;
}

interface Opened {
  readonly server: URL;
  readonly response: HttpResponse;
}

/** Undefined where `signal` aborted. */
async function open(
  options: StreamOptions,
  opening: Opening,
  signal: AbortSignal,
): Promise<Opened | undefined> {
  const { servers, clock, label } = options;
  const { track } = opening;
  try {
    const pauseMs = track.pauseMs(servers.current());
    if (pauseMs > 0) await clock.sleep(pauseMs, signal);
    const opened = await connectToAny(options, opening);
    track.opened(opened.server);
    return opened;
  } catch (error) {
    if (signal.aborted) return undefined;
    track.broke();
    throw callError(label, servers.current(), error, signal);
  }
}

/** What one server says and another one may not. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'lock_unreachable',
  'lock_denied',
  'lock_protocol',
]);

async function connectToAny(options: StreamOptions, opening: Opening): Promise<Opened> {
  const { servers, clock } = options;
  const { signal } = opening;
  const ask = (server: URL, ended: AbortSignal) => connect(options, server, { ...opening, signal: ended });
  if (servers.count === 1) {
    const server = servers.current();
    return { server, response: await ask(server, signal) };
  }
  const mayGoOn = (error: unknown) => !isLayerpullError(error) || passing.has(error.code);
  const discard = (late: HttpResponse) => void late.discard();
  const turn = { servers, clock, patience, signal, ask, mayOverlap: true, mayGoOn, discard };
  try {
    const { server, value: response } = await askInTurn(turn);
    return { server, response };
  } catch (error) {
    throw error instanceof NoAnswer ? error.failures.at(-1)?.error : error;
  }
}

function moved(label: Label, server: URL, error: unknown): StreamMoved {
  return new StreamMoved(`the events of ${label.name(server)} ended: ${messageOf(error)}`, error);
}

async function connect(
  options: StreamOptions,
  server: URL,
  { path, track, signal }: Opening,
): Promise<HttpResponse> {
  const response = await options.http
    .send({
      method: 'GET',
      url: urlOn(server, path),
      headers: { accept: 'text/event-stream', ...track.headers(server) },
      headersTimeoutMs: options.timeoutMs,
      bodyTimeoutMs: options.silenceMs,
      signal,
    })
    .catch((error) => {
      throw new TransportError(server, error);
    });
  const what = 'GET /lock/subscribe';
  if (response.status !== 200) {
    const body = await readJson(response, 65_536);
    throw replyError(options.label, what, { server, status: response.status, body });
  }
  if (response.headers['content-type']?.startsWith('text/event-stream')) return response;
  await response.discard();
  throw protocolError(options.label, what, server, 'not an event stream');
}

interface Reading<Event> {
  readonly response: HttpResponse;
  readonly decode: DecodeEvent<Event>;
  readonly track: StreamTrack;
}

async function* eventsOf<Event>(
  options: StreamOptions,
  server: URL,
  { response, decode, track }: Reading<Event>,
): AsyncGenerator<Event, void, undefined> {
  for await (const event of readEvents(response.body, { onRetry: track.onRetry })) {
    const decoded = decode(event);
    if (decoded === 'end') throw new Ended();
    track.onEvent(event.id);
    if (decoded === 'ignored') continue;
    if (!decoded.ok) throw protocolError(options.label, 'GET /lock/subscribe', server, decoded.problem);
    yield decoded.value;
  }
}
