import type { FastifyInstance, FastifyRequest } from 'fastify';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Locks, ResourceEvent, SessionEvent } from '../locks.ts';
import { resourceEventToWire, sessionEventToWire } from '../protocol/events.ts';
import type { SubscribeRequest } from '../protocol/requests.ts';
import { subscribeSchema } from '../protocol/requests.ts';
import { isOutage, send, stoppingError, wireError } from './errors.ts';
import type { EventStream, WireEvent } from './event-stream.ts';
import { startEventStream } from './event-stream.ts';
import type { OpenStreams } from './open-streams.ts';
import type { ValibotTypes } from './validate.ts';

export interface StreamDeps {
  readonly locks: Locks;
  readonly log: Log;
  readonly streams: OpenStreams;
}

const streamsFull = wireError(503, 'as many event streams are open as there may be', 'full');

/** Events of the service, and how they are written. */
interface Events {
  next(): Promise<WireEvent | undefined>;
  close(): Promise<void>;
}

/** `GET /lock/subscribe`: the events of one session, or for older clients of one resource. */
export function addStreamRoutes(base: FastifyInstance, deps: StreamDeps): void {
  const app = base.withTypeProvider<ValibotTypes>();
  app.get('/lock/subscribe', { schema: { querystring: subscribeSchema } }, async (request, reply) => {
    if (deps.streams.isFull) return send(reply, streamsFull);
    const opened = deps.streams.open(reply.raw);
    const events = openEvents(deps.locks, request.query, opened.signal);
    const close = async () => {
      opened.stop();
      await events.close();
    };
    try {
      // A session's snapshot decides between a stream and an error answer, so it comes before any header. A resource
      // that nobody asked for yet has nothing to say, and its stream begins at once.
      const isSession = request.query.kind === 'session';
      const first = isSession ? await firstOf(events, opened.signal) : undefined;
      if (opened.signal.aborted) throw stopped;
      reply.hijack();
      const stream = startEventStream(reply.raw, lastEventId(request), opened.signal);
      // From here on only what the stream needs is kept: there are thousands of them.
      const { url } = request;
      void pump(deps, { url, isSession, stream, events, first, signal: opened.signal }).finally(close);
      return reply;
    } catch (error) {
      await close();
      if (error === stopped) return send(reply, stoppingError);
      throw error;
    }
  });
}

const stopped = new Error('the stream was stopped before it began');

async function firstOf(events: Events, signal: AbortSignal): Promise<WireEvent | undefined> {
  try {
    return await events.next();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

interface Running {
  readonly url: string;
  readonly isSession: boolean;
  readonly stream: EventStream;
  readonly first: WireEvent | undefined;
  readonly events: Events;
  readonly signal: AbortSignal;
}

/** Hands events on until they or the client end. */
async function pump({ streams, log }: StreamDeps, running: Running): Promise<void> {
  const { url, isSession, stream, first, events, signal } = running;
  // The service itself gives sessions a sign of life.
  const stopPings = isSession ? () => {} : streams.ping(stream.ping);
  // Ends at once, also where the source of events takes its time to notice.
  signal.addEventListener('abort', stream.end, { once: true });
  try {
    for (let event = first ?? (await events.next()); event; event = await events.next()) {
      // A completion goes to thousands of streams at once: only those wait that have to.
      const drained = stream.send(event);
      if (drained) await drained;
    }
  } catch (error) {
    const level = isOutage(error) ? 'debug' : 'warn';
    if (!signal.aborted) log[level]({ url }, `an event stream broke: ${messageOf(error)}`);
  } finally {
    stopPings();
    stream.end();
  }
}

function openEvents(locks: Locks, request: SubscribeRequest, signal: AbortSignal): Events {
  if (request.kind === 'resource') {
    const { type, resourceId } = request;
    return encoded(locks.watchResource(type, resourceId, signal), resourceWire);
  }
  // Tells an end that was meant from a connection that broke.
  const atEnd = () => (signal.aborted ? undefined : { name: 'closed', data: {} });
  return encoded(locks.watch(request.sessionId, signal), sessionWire, atEnd);
}

const resourceWire = (event: ResourceEvent): WireEvent => ({ data: resourceEventToWire(event) });
const sessionWire = (event: SessionEvent): WireEvent => ({
  name: event.kind,
  data: sessionEventToWire(event),
});

/** Asks the source itself for each event: every layer of generators between would cost at each of thousands. */
function encoded<Event>(
  source: AsyncIterable<Event>,
  encode: (event: Event) => WireEvent,
  atEnd: () => WireEvent | undefined = () => undefined,
): Events {
  const events = source[Symbol.asyncIterator]();
  let isOver = false;
  return {
    async next() {
      if (isOver) return undefined;
      const { done, value } = await events.next();
      isOver = done === true;
      return done ? atEnd() : encode(value);
    },
    close: async () => void (await events.return?.().catch(() => {})),
  };
}

function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  return typeof header === 'string' ? header : undefined;
}
