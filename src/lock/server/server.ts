import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';
import { silentLog } from '../../core/log.ts';
import type { Serving } from '../../http/serving.ts';
import type { Locks } from '../locks.ts';
import { createApp } from './app.ts';
import type { Connections } from './connections.ts';
import { createConnections } from './connections.ts';
import type { ServerLimits } from './limits.ts';
import { defaultLimits } from './limits.ts';
import type { ListenOptions } from './listen.ts';
import { listen } from './listen.ts';
import type { Metrics } from './metrics.ts';
import { createOpenStreams } from './open-streams.ts';

export interface LockServerOptions extends Partial<ServerLimits> {
  /** The service behind the server; whoever made it closes it, after the server. */
  readonly locks: Locks;
  readonly clock: Clock;
  /** Default: nothing is logged. */
  readonly log?: Log;
  /** Shown under `/metrics`. */
  readonly metrics?: Metrics;
  /** How clients speak with it, and which. Default: in clear, everyone. Whoever made it closes it. */
  readonly serving?: Serving;
  /** A client without a session has closed the last connection that it kept. Never called once the server stops. */
  readonly onNodeGone?: (nodeId: NodeId) => void;
  /** Why nobody can be served now, for `GET /readyz`. Default: everybody can. */
  readonly trouble?: () => string | undefined;
}

/** The lock service over HTTP and server-sent events, as `docs/protocol.md` describes it. */
export interface LockServer {
  /** @throws LayerpullError `address_in_use`, `usage` */
  listen(options: ListenOptions): Promise<{ readonly url: string }>;
  /** Serves a connection that somebody else accepted, and paused. */
  accept(socket: Socket): Promise<void>;
  /** Ends streams, lets requests under way finish, then cuts what is left: two seconds at most. Idempotent. */
  close(): Promise<void>;
}

/** Milliseconds that requests under way get to finish, and then those that are cut. */
const graceMs = 1_500;
const cutMs = 300;

export function createLockServer(options: LockServerOptions): LockServer {
  const {
    locks,
    clock,
    log = silentLog,
    metrics,
    serving,
    onNodeGone = () => {},
    trouble,
    ...limited
  } = options;
  const limits: ServerLimits = { ...defaultLimits, ...limited };
  const streams = createOpenStreams(limits.maxStreams, clock);
  const connections = createConnections({ clock, log, limits, serving, onNodeGone });
  const app = createApp({ locks, log, streams, connections, metrics, serving, trouble });
  let closed: Promise<void> | undefined;
  let accepting: Promise<void> | undefined;
  return {
    listen: async (options) => ({ url: await listen(app, options, serving?.scheme) }),
    accept: async (socket) => {
      accepting ??= getReady(app);
      await accepting;
      app.server.emit('connection', socket);
      socket.resume();
    },
    close: () => {
      streams.stopAll();
      closed ??= closeWithin(app, connections, clock);
      return closed;
    },
  };
}

/** Connections that come from elsewhere are watched like those of a listening server, from its event on. */
async function getReady(app: FastifyInstance): Promise<void> {
  await app.ready();
  app.server.emit('listening');
}

async function closeWithin(app: FastifyInstance, connections: Connections, clock: Clock): Promise<void> {
  connections.finish();
  const finished = new AbortController();
  const cut = async () => {
    await clock.sleep(graceMs, finished.signal);
    connections.cut();
    await clock.sleep(cutMs, finished.signal);
  };
  try {
    await Promise.race([app.close(), cut()]);
  } finally {
    finished.abort();
  }
}
