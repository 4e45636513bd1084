import type { Socket } from 'node:net';

/**
 * Has a socket end with the first thing that went wrong. A server that does not take our certificate says so after the
 * handshake and closes; undici would tell of the end only.
 */
export function keepingAlerts<AnySocket extends Socket>(socket: AnySocket): AnySocket {
  socket.once('error', (error) => socket.destroy(error));
  return socket;
}
