import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Fault } from './faults.ts';

const piece = Buffer.alloc(65_536, 'x');

/** Faults that no well-behaved server can have: written to the socket as they are. Answers whether it was one. */
export function answerHostile(
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
  onBytes: (bytes: number) => void,
): boolean {
  const { socket } = request;
  switch (fault.kind) {
    case 'resetAt':
      socket.write(beginnings[fault.stage], () => setImmediate(() => socket.resetAndDestroy()));
      return true;
    case 'endless':
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).flushHeaders();
      writeForEver(socket, chunked, onBytes);
      return true;
    case 'endlessError':
      response.writeHead(fault.status ?? 500, { 'content-type': 'text/plain' }).flushHeaders();
      writeForEver(socket, chunked, onBytes);
      return true;
    case 'endlessHeaders':
      socket.write('HTTP/1.1 200 OK\r\n');
      writeForEver(socket, Buffer.from(`X-More: ${'x'.repeat(1_000)}\r\n`), onBytes);
      return true;
    default:
      return false;
  }
}

const beginnings = {
  statusLine: 'HTTP/1.1 20',
  headers: 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-str',
  body: 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\n',
} as const;

const chunked = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);

/** As fast as the other side reads, until it goes. */
function writeForEver(socket: Socket, bytes: Buffer, onBytes: (bytes: number) => void): void {
  const next = () => {
    if (socket.destroyed) return;
    socket.write(bytes, (error) => {
      if (error) return;
      onBytes(bytes.length);
      setImmediate(next);
    });
  };
  next();
}
