import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../../core/errors.ts';
import { isLayerpullError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { WireError, WireReply } from '../protocol/replies.ts';
import { bodyLimitOf, maxBodyBytes } from './body.ts';

const statuses: Partial<Record<ErrorCode, number>> = {
  usage: 400,
  invalid_digest: 400,
  session_unknown: 404,
  resource_not_found: 404,
  lock_refused: 403,
  content_refused: 403,
  lock_unreachable: 503,
  data_failed: 503,
};

/** What a client should wait before it asks again what a 503 answered. */
export const retryAfterSeconds = 1;

/** Any thrown value as an answer. What nobody foresaw is a 500 that keeps its details to the log. */
export function errorToWire(error: unknown, bodyLimit = maxBodyBytes): WireReply {
  if (isLayerpullError(error)) {
    const status = statuses[error.code] ?? 500;
    return wireError(status, error.message, status === 400 ? 'invalid_request' : error.code);
  }
  const status = statusOf(error);
  if (status === 413)
    return wireError(413, `the body is longer than ${bodyLimit / 1_024} KiB`, 'body_too_large');
  if (status === 400) return wireError(400, messageOf(error), 'invalid_request');
  if (status < 500) return wireError(status, messageOf(error));
  return wireError(500, 'the lock server met an unexpected error; its log says more');
}

export function wireError(status: number, message: string, code?: string): WireReply {
  const error = (STATUS_CODES[status] ?? 'error').toLowerCase();
  const body: WireError = code === undefined ? { error, message } : { error, message, code };
  return { status, body };
}

export const stoppingError = wireError(503, 'the lock server is stopping', 'stopping');

/** The status that fastify gave to an error of its own. */
function statusOf(error: unknown): number {
  if (!(error instanceof Error) || !('statusCode' in error)) return 500;
  return typeof error.statusCode === 'number' ? error.statusCode : 500;
}

/** Each 503 asks to come back: it tells of a moment, not of a fault. */
export function send(reply: FastifyReply, { status, body }: WireReply): FastifyReply {
  if (status === 503) reply.header('retry-after', retryAfterSeconds);
  return reply.code(status).send(body);
}

/** The service itself is away, its etcd say, and ends everything so: whoever knows why has said it once. */
export function isOutage(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'lock_unreachable';
}

export interface ErrorDeps {
  readonly log: Log;
  readonly connections: {
    /** Gives the last answer on a connection. */
    leave(socket: Socket, reply: WireReply): void;
  };
}

export function sendError(
  { log, connections }: ErrorDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): void {
  // Nobody is left to answer: the wait ended because the client went away, or was answered and is being left.
  if (reply.raw.destroyed || !request.raw.socket.writable) return;
  const answer = errorToWire(error, bodyLimitOf(request));
  if (answer.status >= 500) {
    const level = isOutage(error) ? 'debug' : 'error';
    log[level]({ err: error, method: request.method, url: request.url }, 'request failed');
  }
  if (answer.status !== 413) return void send(reply, answer);
  // The rest of the body is still on its way and is not read.
  reply.hijack();
  connections.leave(request.raw.socket, answer);
}

/** What is answered under which path: with another method 405, everywhere else 404. */
const methods: readonly (readonly [RegExp, string])[] = [
  [/^\/(lock|unlock|sessions|sources)$/, 'POST'],
  [/^\/(lock\/status|lock\/subscribe|locks|nodes|healthz|readyz)$/, 'GET'],
  [/^\/sessions\/[^/]+$/, 'PUT, DELETE'],
];

export function answerUnknownRoutes(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*$/, '');
    const allow = methods.find(([pattern]) => pattern.test(path))?.[1];
    if (allow === undefined)
      return send(reply, wireError(404, `there is nothing at ${path.slice(0, 200)}`, 'no_route'));
    return send(
      reply.header('allow', allow),
      wireError(405, `${path} takes ${allow}, not ${request.method}`),
    );
  });
}
