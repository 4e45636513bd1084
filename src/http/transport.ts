import { messageOf, systemCodeOf } from '../core/errors.ts';
import { tlsProblemOf } from './tls-problems.ts';

/** A server that could not be reached, or whose connection broke before its reply was complete. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly server: URL;
  /** Nothing of the request can have reached the server. */
  readonly unsent: boolean;
  /** The two do not agree about TLS: the same comes of another try. */
  readonly isLasting: boolean;
  /** How many servers were asked before this came of it. */
  readonly tried: number;

  /** @param tried default 1 */
  constructor(server: URL, cause: unknown, tried = 1) {
    super(transportProblem(cause), { cause });
    this.server = server;
    this.tried = tried;
    this.isLasting = tlsProblemOf(cause) !== undefined;
    this.unsent = this.isLasting || isConnectFailure(cause);
  }
}

export class ReplyTooLong extends Error {
  override readonly name = 'ReplyTooLong';

  constructor(maxBytes: number) {
    super(`the reply is longer than ${maxBytes} bytes`);
  }
}

const problems: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed',
  EPIPE: 'connection closed',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host not found',
  ENOENT: 'nobody listens there',
  ETIMEDOUT: 'no reply in time',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  UND_ERR_SOCKET: 'connection closed',
  UND_ERR_CLOSED: 'connection closed',
  UND_ERR_DESTROYED: 'connection closed',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no reply in time',
  UND_ERR_BODY_TIMEOUT: 'silent for too long',
};

/** What went wrong on the way, in a few words. */
export function transportProblem(error: unknown): string {
  return problems[transportCode(error) ?? ''] ?? withoutRoutines(messageOf(error));
}

/** OpenSSL's `80BC8EF9:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:../deps/…`, or less of it */
function withoutRoutines(message: string): string {
  return /\berror:[0-9A-F]+:[^:]*:[^:]*:([^:]+)(?::|$)/i.exec(message)?.[1] ?? message;
}

const connectCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

function isConnectFailure(error: unknown): boolean {
  const code = transportCode(error);
  return code === 'UND_ERR_CONNECT_TIMEOUT' || (code !== undefined && connectCodes.has(code));
}

/** With several addresses of one host the errors come as an AggregateError; its first one speaks for all. */
function transportCode(error: unknown): string | undefined {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const own =
    first instanceof Error && 'code' in first && typeof first.code === 'string' ? first.code : undefined;
  return own !== undefined && Object.hasOwn(problems, own) ? own : systemCodeOf(first);
}
