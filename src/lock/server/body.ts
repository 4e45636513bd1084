import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LayerpullError, messageOf } from '../../core/errors.ts';

/** Bytes of the longest body that a request may have. */
export const maxBodyBytes = 65_536;
/** The same for a heartbeat: all that a session may hold, and one announcement. */
export const maxHeartbeatBytes = 2 * 1_048_576;

type RequestLine = { readonly method?: string | undefined; readonly url?: string | undefined };

/** Before it is known what takes the request. */
export function bodyLimitOf({ method, url = '' }: RequestLine): number {
  return method === 'PUT' && url.startsWith('/sessions/') ? maxHeartbeatBytes : maxBodyBytes;
}

/**
 * Older clients send JSON under any content type or none, and a body with GET: every body is JSON, and an empty
 * one is none.
 */
export function acceptAnyJson(app: FastifyInstance): void {
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_: FastifyRequest, bytes: string | Buffer) =>
    parseBody(decode(bytes)),
  );
  // Without its content type a request is judged by its length alone, whatever the header said.
  app.addHook('onRequest', async (request) => {
    delete request.raw.headers['content-type'];
  });
}

/** Strict: two names that differ only in wrong bytes would otherwise become one. */
function decode(bytes: string | Buffer): string {
  if (typeof bytes === 'string') return bytes;
  if (isUtf8(bytes)) return bytes.toString();
  throw new LayerpullError('usage', 'the body is not UTF-8');
}

function parseBody(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LayerpullError('usage', `the body is not JSON: ${messageOf(error).slice(0, 200)}`);
  }
}

/** Names from the query, overruled by those of a JSON body (`GET /lock/status` is asked both ways). */
export async function mergeBodyIntoQuery(request: FastifyRequest): Promise<void> {
  const { body, query } = request;
  if (body === undefined) return;
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new LayerpullError('usage', 'the body must be a JSON object');
  request.query = { ...(query as object), ...body };
}
