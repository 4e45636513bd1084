import { isDigestPrefix } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import type { ResourceView } from '../lock/locks.ts';
import { oneLine } from './text.ts';

/** @throws LayerpullError `invalid_digest` */
export function parsePrefix(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isDigestPrefix(text)) return text;
  throw new LayerpullError(
    'invalid_digest',
    `"${oneLine(text.slice(0, 160))}" is not the beginning of a digest`,
    {
      hint: 'give sha256: and hexadecimal digits in lower case, as many as make it unique',
    },
  );
}

/**
 * Everything when there is no prefix; else the views of the one digest that begins with it, one per domain.
 *
 * @throws LayerpullError `resource_not_found`, `ambiguous_digest`
 */
export function selectResources(
  views: readonly ResourceView[],
  prefix: string | undefined,
): readonly ResourceView[] {
  if (prefix === undefined) return views;
  const matches = views.filter(({ resourceId }) => matchesPrefix(resourceId, prefix));
  const digests = [...new Set(matches.map(({ resourceId }) => resourceId))];
  if (digests.length === 1) return matches;
  if (digests.length === 0) throw notFound(prefix);
  throw ambiguous(prefix, digests);
}

function matchesPrefix(digest: string, prefix: string): boolean {
  return digest.startsWith(prefix) || digest.slice(digest.indexOf(':') + 1).startsWith(prefix);
}

function notFound(prefix: string): LayerpullError {
  return new LayerpullError('resource_not_found', `nobody holds, waits for or has finished ${prefix}`, {
    origin: 'lock',
    hint: 'run layerpull status to see all active layers',
  });
}

/** Matches that are listed; more are counted. */
const listedMatches = 8;

function ambiguous(prefix: string, digests: readonly string[]): LayerpullError {
  const listed = digests.slice(0, listedMatches).join(', ');
  const more = digests.length > listedMatches ? ` and ${digests.length - listedMatches} more` : '';
  return new LayerpullError(
    'ambiguous_digest',
    `${prefix} matches ${digests.length} layers: ${listed}${more}`,
    {
      hint: 'give more digits',
    },
  );
}
