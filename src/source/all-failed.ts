import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import { isTransient } from './transient.ts';

/** A server that did not give what was wanted. */
export interface Failure {
  readonly url: string;
  readonly error: LayerpullError;
}

const longestReason = 120;
const mostListed = 32;

/** Whether an error speaks of one server, so that another may do better; a wrong setting of the user's does not. */
export function isOfServer(error: unknown): error is LayerpullError {
  return isLayerpullError(error) && (error.origin === 'registry' || error.origin === 'peer');
}

/**
 * The one error of a list of servers that all failed: it names each with its reason, and has the code, hint and exit
 * code of the most telling one. The error of an only server is its own.
 *
 * @param what `sha256:…`, `docker.io/library/busybox:latest`
 * @param failures in the order in which the servers were asked, the registry's own among them; not empty
 */
export function allFailed(what: string, failures: readonly Failure[], registryUrl: string): LayerpullError {
  const { error } = mostTelling(failures, registryUrl);
  if (failures.length === 1) return error;
  const listed = failures
    .slice(0, mostListed)
    .map((failure) => `${hostOf(failure.url)} ${reasonOf(failure)}`);
  const more = failures.length > mostListed ? [`and ${failures.length - mostListed} more`] : [];
  return new LayerpullError(error.code, `no server gave ${what}: ${[...listed, ...more].join('; ')}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    origin: error.origin,
    retryable: error.retryable,
    retryAfterMs: error.retryAfterMs,
    cause: error,
  });
}

/**
 * What the registry itself says counts, as the mirrors only stand in for it. Where it lets nobody in, the mirrors are
 * all there is: then a failure that may pass counts.
 */
function mostTelling(failures: readonly Failure[], registryUrl: string): Failure {
  const own = failures.find(({ url }) => url === registryUrl) ?? failures.at(-1);
  if (!own) throw new RangeError('nobody failed');
  if (own.error.code !== 'access_denied') return own;
  return failures.find(({ error }) => isTransient(error)) ?? own;
}

/** Why a server was left, on one short line without its name. */
export function reasonOf({ url, error }: Failure): string {
  switch (error.code) {
    case 'image_not_found':
    case 'blob_not_found':
      return 'does not have it';
    case 'access_denied':
      return 'denies access';
    case 'rate_limited':
      return 'limits the rate of requests';
    case 'registry_stalled':
      return 'fell silent';
    case 'digest_mismatch':
      return 'sends wrong content';
    default:
      return shortened(error.message, hostOf(url).replace(/\/.*$/, ''));
  }
}

function shortened(message: string, host: string): string {
  const beginnings = [`cannot reach ${host}: `, `${host}: `, `${host} `];
  const beginning = beginnings.find((one) => message.startsWith(one)) ?? '';
  const text = message.slice(beginning.length);
  return text.length > longestReason ? `${text.slice(0, longestReason)}…` : text;
}

/** Host, and path where there is one. */
export function hostOf(url: string): string {
  return url.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/\/$/, '');
}
