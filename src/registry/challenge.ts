/** One way to authenticate that a server offers (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic` … */
  readonly scheme: string;
  /** Names in lower case; of a repeated parameter the first counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const longestHeader = 8_192;
const blank = /[\s,]*/y;
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const equals = /\s*=\s*/y;
const quoted = /"((?:[^"\\]|\\.)*)"/sy;

/**
 * Reads `WWW-Authenticate`, also with several challenges in one header. What makes no sense is skipped: the result of
 * a broken header is fewer challenges, never an error.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, longestHeader);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    take(blank);
    const name = take(token)?.[0].toLowerCase();
    if (name === undefined) {
      at += 1;
    } else if (!take(equals)) {
      challenges.push({ scheme: name, parameters: new Map() });
    } else {
      const value = take(quoted)?.[1]?.replace(/\\(.)/gs, '$1') ?? take(token)?.[0];
      const parameters = challenges.at(-1)?.parameters;
      if (value !== undefined && parameters && !parameters.has(name)) parameters.set(name, value);
    }
  }
  return challenges;
}

/** Where a bearer token comes from. */
export interface TokenService {
  readonly realm: string;
  readonly service: string | undefined;
  /** The registry that named it was spoken to in http, though https was tried: then it may be http itself. */
  readonly overHttp?: boolean;
}

/** The token service of the first `Bearer` challenge that names one. */
export function findTokenService(header: string | undefined): TokenService | undefined {
  for (const { scheme, parameters } of parseChallenges(header ?? '')) {
    const realm = parameters.get('realm');
    if (scheme === 'bearer' && realm) return { realm, service: parameters.get('service') };
  }
  return undefined;
}

/** Whether a registry takes a user name and a password directly (RFC 7617). */
export function asksForPassword(header: string | undefined): boolean {
  return parseChallenges(header ?? '').some(({ scheme }) => scheme === 'basic');
}
