import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Older clients keep a connection for as long as they hold a lock, up to ten minutes: the server never closes it
 * first.
 */
const keepAliveTimeout = 11 * 60_000;
/** A client that sends its request slower than this is cut off. Answers, and with them streams, are not limited. */
const headersTimeout = 10_000;
const requestTimeout = 30_000;

/** The connections of one service, on whatever addresses it listens. */
export interface Connections {
  createServer(handler: RequestListener): Server;
  /** Closes those without a request under way, and each other one after its answer. */
  finish(): void;
  /** Cuts those that are left. */
  cut(): void;
}

/** Node closes no connection that never carried a request, and clients open such ones in advance: counted here. */
export function createConnections(): Connections {
  const requestsOf = new Map<Socket, number>();
  let finishing = false;
  const count = (socket: Socket, change: number) => {
    const requests = requestsOf.get(socket);
    if (requests === undefined) return;
    requestsOf.set(socket, requests + change);
    if (finishing && requests + change === 0) socket.destroySoon();
  };
  return {
    createServer(handler) {
      const options = {
        keepAliveTimeout,
        headersTimeout,
        requestTimeout,
        connectionsCheckingInterval: 2_000,
      };
      const server = createServer(options, handler);
      server.on('connection', (socket) => {
        requestsOf.set(socket, 0);
        socket.once('close', () => requestsOf.delete(socket));
      });
      server.on('request', ({ socket }, response) => {
        count(socket, 1);
        response.once('close', () => count(socket, -1));
      });
      return server;
    },
    finish() {
      finishing = true;
      for (const [socket, requests] of requestsOf) if (requests === 0) socket.destroySoon();
    },
    cut() {
      for (const socket of requestsOf.keys()) socket.destroy();
    },
  };
}
