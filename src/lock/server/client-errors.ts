import { maxHeaderSize } from 'node:http';
import type { WireReply } from '../protocol/replies.ts';
import { wireError } from './errors.ts';

/**
 * What to answer to bytes that are no request, or none yet. Undefined: the connection itself broke, and nobody is left
 * to read an answer.
 */
export function clientErrorReply(error: Error): WireReply | undefined {
  if (isBroken(error)) return undefined;
  switch ('code' in error ? error.code : undefined) {
    case 'HPE_HEADER_OVERFLOW':
      return wireError(
        431,
        `the path and the headers are longer than ${maxHeaderSize / 1_024} KiB`,
        'headers_too_large',
      );
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return wireError(413, 'the extensions of the chunks are too long', 'body_too_large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return wireError(408, 'the request did not arrive in time', 'too_slow');
    default:
      return wireError(400, `this is no HTTP request: ${reasonOf(error)}`, 'invalid_request');
  }
}

/** Errors of the system (reset, timed out) name the call that failed; errors of the parser do not. */
export function isBroken(error: Error): boolean {
  return 'syscall' in error;
}

function reasonOf(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}
