import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isLinkLocal } from './addresses.ts';

/** A lookup that refuses link-local answers: a name must not lead where a redirect may not. */
export function refusingLinkLocal(inner: LookupFunction = lookup): LookupFunction {
  return (hostname, options, callback) => {
    inner(hostname, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address);
      if (error || !addresses.some(isLinkLocal)) return callback(error, found, family);
      callback(new Error(`${hostname} has a link-local address`), '', 0);
    });
  };
}
