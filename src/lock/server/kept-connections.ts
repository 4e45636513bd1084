import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { NodeId } from '../../core/ids.ts';
import { isBroken } from './client-errors.ts';

/** A connection that is open for this many milliseconds after its reply is one that its client keeps. */
const keptMs = 5_000;
/** Nodes remembered per connection: a proxy may bring many over one. The one heard longest ago is forgotten. */
const maxNodes = 64;

/** Tells from their connections which clients without a session are gone. */
export interface KeptConnections {
  opened(socket: Socket): void;
  requested(socket: Socket): void;
  replied(socket: Socket): void;
  /** The request under way speaks for this node, without a session. */
  carried(socket: Socket, nodeId: NodeId): void;
  /** From here on connections end because the server does. */
  stop(): void;
}

interface Connection {
  readonly socket: Socket;
  requests: number;
  repliedAtMs: number | undefined;
  /** In the order in which they were last heard; made when the first comes. */
  nodes: Set<NodeId> | undefined;
  closedByClient: boolean;
}

interface Node {
  readonly connections: Set<Connection>;
  /** Its client closed the kept connection that ended last, and the node was not heard since. */
  isLeaving: boolean;
}

/**
 * A connection is kept once it carried two requests or stayed open for five seconds after its reply. A node is gone
 * when its client has closed the last kept one. A client that closes with every reply keeps none and is never gone.
 * Where another connection is open that is too young to tell, its end decides: a client that leaves a stream in order
 * to ask for its lock closes the one just when it opens the other.
 */
export function createKeptConnections(clock: Clock, onNodeGone: (nodeId: NodeId) => void): KeptConnections {
  const connections = new Map<Socket, Connection>();
  const nodes = new Map<NodeId, Node>();
  let isStopped = false;

  const isKept = ({ requests, repliedAtMs }: Connection) =>
    requests >= 2 || (repliedAtMs !== undefined && clock.now() - repliedAtMs >= keptMs);

  const forget = (connection: Connection, nodeId: NodeId) => {
    connection.nodes?.delete(nodeId);
    const node = nodes.get(nodeId);
    node?.connections.delete(connection);
    if (node?.connections.size === 0) nodes.delete(nodeId);
    return node;
  };

  const closed = (connection: Connection) => {
    connections.delete(connection.socket);
    const wasKept = isKept(connection);
    for (const nodeId of connection.nodes ?? []) {
      const node = forget(connection, nodeId);
      if (!node || isStopped) continue;
      if (wasKept) node.isLeaving = connection.closedByClient;
      if (node.isLeaving && node.connections.size === 0) onNodeGone(nodeId);
    }
  };

  return {
    opened(socket) {
      const connection: Connection = {
        ...{ socket, requests: 0, repliedAtMs: undefined, nodes: undefined, closedByClient: false },
      };
      connections.set(socket, connection);
      noticeClient(connection);
      socket.once('close', () => closed(connection));
    },
    requested(socket) {
      const connection = connections.get(socket);
      if (connection) connection.requests += 1;
    },
    replied(socket) {
      const connection = connections.get(socket);
      if (connection) connection.repliedAtMs = clock.now();
    },
    carried(socket, nodeId) {
      const connection = connections.get(socket);
      if (!connection) return;
      connection.nodes ??= new Set();
      connection.nodes.delete(nodeId);
      connection.nodes.add(nodeId);
      const node = nodes.get(nodeId) ?? { connections: new Set(), isLeaving: false };
      node.connections.add(connection);
      node.isLeaving = false;
      nodes.set(nodeId, node);
      const [oldest] = connection.nodes;
      if (connection.nodes.size > maxNodes && oldest !== undefined) forget(connection, oldest);
    },
    stop() {
      isStopped = true;
    },
  };
}

/** The end came from the client's side if it came before the server's own. Node itself answers an end with its own. */
function noticeClient(connection: Connection): void {
  const { socket } = connection;
  const noticeUnlessEnded = () => {
    if (!socket.writableEnded) connection.closedByClient = true;
  };
  socket.prependOnceListener('end', noticeUnlessEnded);
  socket.prependListener('error', (error) => {
    if (isBroken(error)) noticeUnlessEnded();
  });
}
