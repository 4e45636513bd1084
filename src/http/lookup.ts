import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { systemClock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import { isLinkLocal } from './addresses.ts';
import type { HttpProxy } from './proxies.ts';

/** A lookup that refuses link-local answers: a name must not lead where a redirect may not. */
export function refusingLinkLocal(inner: LookupFunction = lookup): LookupFunction {
  return (hostname, options, callback) => {
    inner(hostname, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address);
      if (error || !addresses.some(isLinkLocal)) return callback(error, found, family);
      callback(linkLocal(hostname), '', 0);
    });
  };
}

/** How long the name server of this machine may take when a proxy will ask its own. */
const patienceMs = 2_000;

/**
 * Refuses a host that a server named and that is link-local. Where a proxy connects, the addresses are the proxy's
 * business; but a name that is link-local here is so there, and is not handed on. No answer counts as none: behind a
 * proxy, a machine need not know the names of the world.
 *
 * @throws LayerpullError `registry_protocol`
 */
export async function refuseLinkLocalTarget(
  hostname: string,
  proxy: HttpProxy | undefined,
  inner: LookupFunction = lookup,
): Promise<void> {
  if (isLinkLocal(hostname)) throw linkLocal(hostname);
  if (!proxy || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return;
  const done = new AbortController();
  const late = systemClock.sleep(patienceMs, done.signal).catch(() => {});
  const answered = new Promise<Error | undefined>((resolve) => {
    refusingLinkLocal(inner)(hostname, { all: true }, (error) => resolve(error ?? undefined));
  });
  const problem = await Promise.race([answered, late]);
  done.abort(new Error('answered'));
  if (problem instanceof LayerpullError) throw problem;
}

function linkLocal(hostname: string): LayerpullError {
  return new LayerpullError('registry_protocol', `${hostname} has a link-local address`, {
    hint: 'such an address is not asked: clouds hand out the credentials of a machine there',
  });
}
