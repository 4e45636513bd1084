import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Locks } from '../locks.ts';
import { resourceEventToWire, sessionEventToWire } from '../protocol/events.ts';
import type { SubscribeRequest } from '../protocol/requests.ts';
import { subscribeSchema } from '../protocol/requests.ts';
import { send, stoppingError, wireError } from './errors.ts';
import type { WireEvent } from './event-stream.ts';
import { startEventStream } from './event-stream.ts';
import type { OpenStreams } from './open-streams.ts';
import type { ValibotTypes } from './validate.ts';

/** Milliseconds between two comments on a stream; a client may take one that is silent for longer for dead. */
const pingMs = 5_000;

export interface StreamDeps {
  readonly locks: Locks;
  readonly clock: Clock;
  readonly log: Log;
  readonly streams: OpenStreams;
}

const streamsFull = wireError(503, 'as many event streams are open as there may be', 'full');

type Events = AsyncGenerator<WireEvent, void, undefined>;

/** `GET /lock/subscribe`: the events of one session, or for older clients of one resource. */
export function addStreamRoutes(base: FastifyInstance, deps: StreamDeps): void {
  const app = base.withTypeProvider<ValibotTypes>();
  app.get('/lock/subscribe', { schema: { querystring: subscribeSchema } }, async (request, reply) => {
    if (deps.streams.isFull) return send(reply, streamsFull);
    const { signal, stop } = deps.streams.open(reply.raw);
    const events = wireEvents(deps.locks, request.query, signal);
    try {
      // A session's snapshot decides between a stream and an error answer, so it comes before any header. A resource
      // that nobody asked for yet has nothing to say, and its stream begins at once.
      const first = request.query.kind === 'session' ? await firstOf(events, signal) : undefined;
      if (signal.aborted) return send(reply, stoppingError);
      reply.hijack();
      await pump(deps, { request, reply, events, first, signal });
      return reply;
    } finally {
      stop();
      await events.return().catch(() => {});
    }
  });
}

async function firstOf(events: Events, signal: AbortSignal): Promise<WireEvent | undefined> {
  try {
    return (await events.next()).value ?? undefined;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

interface Running {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly first: WireEvent | undefined;
  readonly events: Events;
  readonly signal: AbortSignal;
}

/** Hands events on until they or the client end. */
async function pump({ clock, log }: StreamDeps, running: Running): Promise<void> {
  const { request, reply, first, events, signal } = running;
  const stream = startEventStream(reply.raw, lastEventId(request), signal);
  const stopPings = clock.every(pingMs, stream.ping);
  // Ends at once, also where the source of events takes its time to notice.
  signal.addEventListener('abort', stream.end, { once: true });
  try {
    if (first) await stream.send(first);
    for await (const event of events) await stream.send(event);
  } catch (error) {
    if (!signal.aborted) log.warn({ url: request.url }, `an event stream broke: ${messageOf(error)}`);
  } finally {
    stopPings();
    stream.end();
  }
}

async function* wireEvents(locks: Locks, request: SubscribeRequest, signal: AbortSignal): Events {
  if (request.kind === 'resource') {
    const { type, resourceId } = request;
    for await (const event of locks.watchResource(type, resourceId, signal)) {
      yield { data: resourceEventToWire(event) };
    }
    return;
  }
  for await (const event of locks.watch(request.sessionId, signal)) {
    yield { name: event.kind, data: sessionEventToWire(event) };
  }
  // Tells an end that was meant from a connection that broke.
  if (!signal.aborted) yield { name: 'closed', data: {} };
}

function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  return typeof header === 'string' ? header : undefined;
}
