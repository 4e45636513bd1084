import type { RequestListener, Server } from 'node:http';
import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';
import { openServing, type Serving } from '../../http/serving.ts';
import type { WireReply } from '../protocol/replies.ts';
import { clientErrorReply } from './client-errors.ts';
import { wireError } from './errors.ts';
import { sayFarewell } from './farewell.ts';
import { createKeptConnections } from './kept-connections.ts';
import type { ServerLimits } from './limits.ts';
import { createRefusals } from './refusals.ts';
import { RequestLine, type Turn } from './request-line.ts';
import { watchForStalls } from './stalls.ts';

/**
 * Older clients keep a connection for as long as they hold a lock, up to ten minutes: the server never closes it
 * first.
 */
const keepAliveTimeout = 11 * 60_000;
/** Silent connections are probed after this long, so that a peer that vanished without a word is noticed. */
const keepAliveInitialDelay = 30_000;

/** The connections of one service, on whatever addresses it listens. */
export interface Connections {
  createServer(handler: RequestListener): Server;
  /** The request under way speaks for this node, without a session. */
  carried(socket: Socket, nodeId: NodeId): void;
  /** Gives the last answer on a connection whose client may be sending still. */
  leave(socket: Socket, reply: WireReply): void;
  /** Whether there are as many as there may be. */
  readonly isFull: boolean;
  /** Closes those without a request under way, and each other one after its answer. */
  finish(): void;
  /** Cuts those that are left. */
  cut(): void;
}

export interface ConnectionsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: ServerLimits;
  /** Default: in clear. */
  readonly serving?: Serving | undefined;
  /** The client of a node without a session has closed its last kept connection. */
  onNodeGone(nodeId: NodeId): void;
}

/** Node closes no connection that never carried a request, and clients open such ones in advance: counted here. */
export function createConnections(options: ConnectionsOptions): Connections {
  const { clock, log, limits, serving = openServing } = options;
  const lines = new Map<Socket, RequestLine>();
  const kept = createKeptConnections(clock, options.onNodeGone);
  const refusals = createRefusals(limits.maxConnections, { clock, log });
  let finishing = false;

  const leave = (socket: Socket, reply: WireReply) => sayFarewell(socket, reply, clock);
  const idle = (socket: Socket) => {
    if (finishing) socket.destroySoon();
  };

  const open = (socket: Socket, handler: RequestListener) => {
    if (finishing) return void socket.destroy();
    if (lines.size >= limits.maxConnections) return refusals.refuse(socket);
    lines.set(socket, new RequestLine(socket, { handler, leave, idle, replied: kept.replied }));
    socket.once('close', () => lines.delete(socket));
    kept.opened(socket);
  };

  const take = (turn: Turn) => {
    const { socket } = turn.request;
    const line = lines.get(socket);
    if (!line) return refusals.answer(turn.request);
    kept.requested(socket);
    line.take(turn);
  };

  const fail = (error: Error, socket: Socket) => {
    const reply = clientErrorReply(error);
    // One that was opened in advance and never used is closed without a word.
    if (!reply || !socket.writable || socket.bytesRead === 0) socket.destroy();
    else lines.get(socket)?.fail(reply);
  };

  const stopWatching = watchForStalls({
    sockets: () => lines.keys(),
    stallMs: limits.stallMs,
    clock,
    onStall(socket) {
      const fields = { client: socket.remoteAddress, url: lines.get(socket)?.url };
      log.warn(
        fields,
        `a client was cut: it took nothing for ${limits.stallMs} ms while bytes waited for it`,
      );
      socket.destroy();
    },
  });

  return {
    createServer(handler) {
      const server = serving.createServer(serverOptions(limits));
      if (serving.scheme === 'https') watchHandshakes(server, limits, log);
      const ready = serving.scheme === 'https' ? 'secureConnection' : 'connection';
      server.on(ready, (socket: Socket) => open(socket, handler));
      server.on('request', (request, response) => take({ request, response }));
      server.on('checkContinue', (request, response) => take({ request, response, awaitsContinue: true }));
      // An expectation that nobody knows may be ignored.
      server.on('checkExpectation', (request, response) => take({ request, response }));
      server.on('clientError', (error, socket) => fail(error, socket as Socket));
      server.on('connect', (_, socket) => lines.get(socket as Socket)?.fail(noTunnel));
      return server;
    },
    carried: kept.carried,
    leave,
    get isFull() {
      return lines.size >= limits.maxConnections;
    },
    finish() {
      finishing = true;
      stopWatching();
      kept.stop();
      for (const [socket, line] of lines) if (line.isIdle) socket.destroySoon();
    },
    cut() {
      refusals.cut();
      for (const socket of lines.keys()) socket.destroy();
    },
  };
}

const noTunnel = wireError(405, 'the lock server is no proxy');

/** Those that do not come to an end of their handshake count, too: a few more than may send a request. */
function watchHandshakes(server: Server, { maxConnections }: ServerLimits, log: Log): void {
  server.maxConnections = maxConnections + 256;
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    log.debug(
      { client: socket.remoteAddress },
      `a client did not get as far as a request: ${messageOf(error)}`,
    );
    socket.destroy();
  });
}

function serverOptions({ headersTimeoutMs, requestTimeoutMs }: ServerLimits) {
  return {
    keepAliveTimeout,
    keepAlive: true,
    keepAliveInitialDelay,
    headersTimeout: headersTimeoutMs,
    handshakeTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(2_000, Math.ceil(headersTimeoutMs / 4)),
    maxHeaderSize,
    // Answered where all other faults are.
    requireHostHeader: false,
  };
}
