import { type Token, toToken } from '../../../core/ids.ts';
import { format, type MetaRecord } from './records.ts';
import type { Write } from './writes.ts';

/** Tokens set aside with one write. A restart skips what is left of them: tokens rise, they need not be dense. */
const reserveSize = 65_536;

/**
 * Keeps a bound on disk that no token reaches before it was moved up, so that none is ever given out twice: also not
 * one that somebody saw although the grant never got to the disk.
 */
export class TokenReserve {
  #end = 0;

  /** What to write so that the bound stays ahead: it moves up when half of what was set aside is gone. */
  cover(nextToken: Token): readonly Write[] {
    if (nextToken + reserveSize / 2 < this.#end) return [];
    this.#end = nextToken + reserveSize;
    const meta: MetaRecord = { format, nextToken: toToken(this.#end) };
    return [{ key: ['meta'], value: meta }];
  }
}
