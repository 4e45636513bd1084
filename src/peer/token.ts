import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether an `Authorization` header brings this bearer token; takes as long for a wrong one, however wrong it is. */
export function bringsToken(header: string | undefined, token: string): boolean {
  const given = /^bearer +(.*)$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(hashOf(given), hashOf(token));
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
