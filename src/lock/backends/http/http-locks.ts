import type { Clock } from '../../../core/clock.ts';
import { createFleetClient } from '../../../http/fleet-client.ts';
import type { ClientTrust } from '../../../http/fleet-trust.ts';
import type { Patience } from '../../../http/in-turn.ts';
import { createServers, type Servers, shuffled } from '../../../http/servers.ts';
import type { ShortRequest } from '../../../http/short.ts';
import { createShortClient, standardPatience } from '../../../http/short.ts';
import type {
  AcquireReply,
  AcquireRequest,
  Locks,
  ReleaseReply,
  SourceReply,
  SourceRequest,
} from '../../locks.ts';
import { snapshotSchema } from '../../protocol/events.ts';
import { nodesReplySchema } from '../../protocol/nodes.ts';
import { parse } from '../../protocol/parse.ts';
import {
  acquireReplySchema,
  refusalSchema,
  releaseReplyFromWire,
  sessionSchema,
} from '../../protocol/replies.ts';
import {
  acquireToWire,
  declineToWire,
  heartbeatToWire,
  listToQuery,
  openSessionToWire,
  releaseToWire,
  statusToQuery,
} from '../../protocol/requests.ts';
import { notHolderSchema, sourceReplySchema, sourceRequestToWire } from '../../protocol/sources.ts';
import { listReplySchema, statusReplySchema } from '../../protocol/views.ts';
import type { Caller } from './call.ts';
import { createCaller, maxListBytes } from './call.ts';
import { labelOf } from './errors.ts';
import { decodeResourceEvent, decodeSessionEvent } from './events.ts';
import { StreamMemory } from './stream-memory.ts';
import type { StreamOptions } from './streams.ts';
import { openStream } from './streams.ts';

/** All in milliseconds, but `retries`. */
export interface HttpLocksTimeouts {
  /** One try of a request, in all, however many servers are asked. Default 30,000. */
  readonly requestMs?: number;
  /** Extra tries on network errors and on 502, 503 and 504. Default 3. */
  readonly retries?: number;
  /** Pause between two tries, with jitter. Default 1,000. */
  readonly retryDelayMs?: number;
  /** A heartbeat, which is never tried again: the next one follows soon. Default 4,000. */
  readonly heartbeatMs?: number;
  /** Connecting. Default 3,000, shared among several servers so that a silent one does not use it up. */
  readonly connectMs?: number;
  /** Silence on a stream before it counts as dead. Default 15,000: three missed pings. */
  readonly silenceMs?: number;
}

export interface HttpLocksOptions {
  /**
   * All of one service: what one of them knows, they know. Where to begin, and where to go on, is left to chance, so that
   * the clients of many spread over them; the one that answers is kept. May be empty with `socketPath`.
   */
  readonly servers: readonly URL[];
  /** Reach the server through this Unix socket. */
  readonly socketPath?: string;
  /** Version of layerpull, for the user agent. */
  readonly version: string;
  readonly clock: Clock;
  readonly timeouts?: HttpLocksTimeouts;
  /** What the servers are told and checked by. Default: nothing, and what Node trusts. Whoever made it closes it. */
  readonly trust?: ClientTrust | undefined;
  /** Told when requests and streams go on at another server. */
  readonly onMove?: (from: URL, to: URL) => void;
  /** Random number in [0, 1): spreads retries, reconnects and whom one asks. Default `Math.random`. */
  readonly random?: () => number;
}

/** A lock server reached over HTTP, as `docs/protocol.md` describes it. */
export function createHttpLocks(options: HttpLocksOptions): Locks {
  const { clock, timeouts = {}, socketPath, random = Math.random } = options;
  const urls = options.servers.length > 0 ? options.servers : [new URL('http://localhost')];
  const servers = createServers(shuffled(urls, random));
  tellMoves(servers, options.onMove);
  const connecting = {
    userAgent: `layerpull/${options.version}`,
    connectTimeoutMs: timeouts.connectMs ?? Math.ceil(3_000 / urls.length),
    ...(socketPath === undefined ? {} : { socketPath }),
  };
  const http = createFleetClient(connecting, options.trust);
  const requestMs = timeouts.requestMs ?? 30_000;
  const short = createShortClient({
    http,
    servers,
    clock,
    timeoutMs: requestMs,
    patience: patienceWith(servers.count),
    retries: timeouts.retries ?? 3,
    retryDelayMs: timeouts.retryDelayMs ?? 1_000,
    random,
  });
  const label = labelOf(socketPath);
  const caller = createCaller(short, servers, label);
  const silenceMs = timeouts.silenceMs ?? 15_000;
  const memory = new StreamMemory({ clock, random });
  return {
    ...sessionCalls(caller, timeouts.heartbeatMs ?? 4_000),
    ...lockCalls(caller),
    sources: (request, signal) => sources(caller, request, signal),
    ...streams({ http, servers, label, clock, memory, timeoutMs: requestMs, silenceMs }),
    close: () => http.close(),
  };
}

function tellMoves(servers: Servers, onMove: HttpLocksOptions['onMove']): void {
  let from = servers.current();
  servers.onMove(() => {
    onMove?.(from, servers.current());
    from = servers.current();
  });
}

/** Each of them gets its chance within the three seconds that a first contact may take. */
function patienceWith(count: number): Patience {
  const { askNextMs, leaveMs } = standardPatience;
  return { askNextMs: Math.min(askNextMs, Math.floor(3_000 / count)), leaveMs };
}

function sessionCalls(
  caller: Caller,
  heartbeatMs: number,
): Pick<Locks, 'openSession' | 'closeSession' | 'renew' | 'nodes'> {
  const pathOf = (sessionId: string) => `/sessions/${encodeURIComponent(sessionId)}`;
  return {
    openSession(request, signal, onRefusal) {
      const asked: ShortRequest = {
        ...{ method: 'POST', path: '/sessions', body: openSessionToWire(request), signal },
        onUnavailable: onRefusal && ((reply) => onRefusal(caller.refusal(asked, reply))),
      };
      return caller.ask(asked, sessionSchema);
    },
    nodes: (signal) =>
      caller.ask({ method: 'GET', path: '/nodes', maxReplyBytes: maxListBytes, signal }, nodesReplySchema),
    async closeSession(sessionId, signal) {
      const request: ShortRequest = { method: 'DELETE', path: pathOf(sessionId), signal };
      const reply = await caller.send(request);
      if (reply.status >= 300) throw caller.refusal(request, reply);
    },
    renew: (sessionId, heartbeat, signal) =>
      caller.ask(
        {
          method: 'PUT',
          path: pathOf(sessionId),
          body: heartbeatToWire(heartbeat),
          timeoutMs: heartbeatMs,
          retries: 0,
          maxReplyBytes: maxListBytes,
          signal,
        },
        snapshotSchema,
      ),
  };
}

function lockCalls(caller: Caller): Pick<Locks, 'acquire' | 'release' | 'decline' | 'status' | 'list'> {
  return {
    acquire: (request, signal) => acquire(caller, request, signal),
    release: (request, signal) => unlock(caller, releaseToWire(request), signal),
    decline: (request, signal) => unlock(caller, declineToWire(request), signal),
    status: (request, signal) =>
      caller.ask(
        {
          method: 'GET',
          path: `/lock/status?${statusToQuery(request)}`,
          maxReplyBytes: maxListBytes,
          signal,
        },
        statusReplySchema,
      ),
    list: (query, signal) =>
      caller.ask(
        { method: 'GET', path: `/locks?${listToQuery(query)}`, maxReplyBytes: maxListBytes, signal },
        listReplySchema,
      ),
  };
}

/** Without a request id the server cannot tell a repetition from a second request. */
async function acquire(
  caller: Caller,
  acquireRequest: AcquireRequest,
  signal: AbortSignal | undefined,
): Promise<AcquireReply> {
  const body = acquireToWire(acquireRequest);
  const repeatable = acquireRequest.requestId !== undefined;
  const request: ShortRequest = { method: 'POST', path: '/lock', body, repeatable, signal };
  const reply = await caller.send(request);
  if (reply.status === 403) {
    const refused = parse(refusalSchema, reply.body);
    if (refused.ok) return refused.value;
  }
  return caller.read(request, reply, acquireReplySchema);
}

/** Not-holder is an answer like the others; any other refusal is none. */
async function sources(
  caller: Caller,
  sourceRequest: SourceRequest,
  signal: AbortSignal | undefined,
): Promise<SourceReply> {
  const request: ShortRequest = {
    method: 'POST',
    path: '/sources',
    body: sourceRequestToWire(sourceRequest),
    signal,
  };
  const reply = await caller.send(request);
  if (reply.status === 403) {
    const refused = parse(notHolderSchema, reply.body);
    if (refused.ok) return refused.value;
  }
  return caller.read(request, reply, sourceReplySchema);
}

async function unlock(
  caller: Caller,
  body: ReturnType<typeof releaseToWire> | ReturnType<typeof declineToWire>,
  signal: AbortSignal | undefined,
): Promise<ReleaseReply> {
  const request: ShortRequest = { method: 'POST', path: '/unlock', body, signal };
  const reply = await caller.send(request);
  const released = releaseReplyFromWire(reply.status, reply.body);
  if (released) return released;
  throw caller.refusal(request, reply);
}

function streams(options: StreamOptions): Pick<Locks, 'watch' | 'watchResource'> {
  const open = '/lock/subscribe';
  return {
    watch: (sessionId, signal) =>
      openStream(
        options,
        `${open}?${new URLSearchParams({ session: sessionId })}`,
        decodeSessionEvent,
        signal,
      ),
    watchResource: (type, resourceId, signal) => {
      const query = new URLSearchParams({ type, resource_id: resourceId });
      return openStream(options, `${open}?${query}`, decodeResourceEvent, signal);
    },
  };
}
