import type { Clock } from '../../../core/clock.ts';
import type { HttpClient, HttpResponse } from '../../../http/client.ts';
import type { Servers } from '../../../http/servers.ts';
import { urlOn } from '../../../http/servers.ts';
import { readJson } from '../../../http/short.ts';
import type { ServerSentEvent } from '../../../http/sse.ts';
import { readEvents } from '../../../http/sse.ts';
import { TransportError } from '../../../http/transport.ts';
import type { Parsed } from '../../protocol/parse.ts';
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

/**
 * One long request, without a limit in time. Ends when `signal` aborts or the server says that it is over. One that
 * follows a broken one waits for as long as the server asked, and says which event was the last.
 * @throws LayerpullError `lock_unreachable` when the stream breaks, and what `replyError` makes of a refusal
 */
export async function* openStream<Event>(
  options: StreamOptions,
  path: string,
  decode: DecodeEvent<Event>,
  signal: AbortSignal,
): AsyncGenerator<Event, void, undefined> {
  if (signal.aborted) return;
  const track = options.memory.begin(path);
  let server = options.servers.current();
  try {
    if (track.pauseMs > 0) await options.clock.sleep(track.pauseMs, signal);
    server = options.servers.current();
    const response = await connect(options, server, { path, track, signal });
    yield* eventsOf(options, server, { response, decode, track });
    throw new Error('connection closed');
  } catch (error) {
    if (error instanceof Ended || signal.aborted) return;
    track.broke();
    const failure = callError(options.label, server, error, signal);
    throw failure;
  }
}

/** The stream is over because the server said so. */
class Ended extends Error {}

interface Connecting {
  readonly path: string;
  readonly track: StreamTrack;
  readonly signal: AbortSignal;
}

async function connect(
  options: StreamOptions,
  server: URL,
  { path, track, signal }: Connecting,
): Promise<HttpResponse> {
  const response = await options.http
    .send({
      method: 'GET',
      url: urlOn(server, path),
      headers: { accept: 'text/event-stream', ...track.headers },
      headersTimeoutMs: options.timeoutMs,
      bodyTimeoutMs: options.silenceMs,
      signal,
    })
    .catch((error) => {
      if (!signal.aborted) options.servers.failed(server);
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
