import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What came in place of a token that is known; undefined: one did. */
export type TokenFault = 'missing' | 'wrong';

/** Compares the token of a request with those that are valid now, in a time that tells nothing about them. */
export function createTokenCheck(
  tokens: () => readonly string[],
): (request: IncomingMessage) => TokenFault | undefined {
  // Digests have one length, and under a key of this process nobody can aim at one.
  const key = randomBytes(32);
  const digest = (text: string) => createHmac('sha256', key).update(text).digest();
  let known = tokens();
  let digests = known.map(digest);
  return (request) => {
    const given = tokenOf(request);
    if (given === undefined) return 'missing';
    if (known !== tokens()) {
      known = tokens();
      digests = known.map(digest);
    }
    const asked = digest(given);
    // Each is compared, whichever fits.
    return digests.filter((one) => timingSafeEqual(one, asked)).length > 0 ? undefined : 'wrong';
  };
}

/**
 * The token of `Authorization: Bearer TOKEN` (RFC 6750). Of two such headers a proxy may have looked at one and we at
 * the other, so that counts as wrong: the empty token is nobody's.
 */
function tokenOf({ headersDistinct }: IncomingMessage): string | undefined {
  const given = headersDistinct['authorization'] ?? [];
  if (given.length > 1) return '';
  return /^Bearer +([^\s,]+) *$/i.exec(given[0] ?? '')?.[1];
}
