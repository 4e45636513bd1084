import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LayerpullError } from '../../core/errors.ts';

/** Refuses what parsers would guess at: no host, bytes in the path that are not ASCII, escapes that are not UTF-8. */
export function refuseGuesses(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _, done) => {
    const problem = problemOf(request);
    done(problem === undefined ? undefined : new LayerpullError('usage', problem));
  });
}

function problemOf({ raw }: FastifyRequest): string | undefined {
  const { url = '', httpVersion, headers } = raw;
  if (httpVersion === '1.1' && headers.host === undefined) return 'the header host is missing';
  if (!/^[\x21-\x7e]*$/.test(url))
    return 'the path and the query must be ASCII, with other characters escaped';
  return canDecode(url) ? undefined : 'the path or the query has a wrong escape';
}

function canDecode(url: string): boolean {
  if (!url.includes('%')) return true;
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}
