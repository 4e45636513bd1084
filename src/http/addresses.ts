import { isIPv4 } from 'node:net';

/** Whether a URL's host name means this machine. */
export function isLoopback(hostname: string): boolean {
  const host = plainAddress(hostname);
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || isIn(host, '127.');
}

/**
 * Whether an address is link-local (169.254.0.0/16, fe80::/10). Clouds hand out credentials of the machine there, so
 * nobody on the network may send us to it.
 */
export function isLinkLocal(hostname: string): boolean {
  const host = plainAddress(hostname);
  return isIn(embeddedAddress(host) ?? host, '169.254.') || /^(fe[89ab][0-9a-f]|2002:a9fe):/.test(host);
}

function isIn(host: string, prefix: string): boolean {
  return isIPv4(host) && host.startsWith(prefix);
}

/** Without brackets, and an IPv4 address in IPv6 clothes (`::ffff:7f00:1`) as IPv4. */
function plainAddress(hostname: string): string {
  const host = hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
  return addressBehind('::ffff:', host) ?? host;
}

/** Ways in which networks carry IPv4 in IPv6: NAT64 (RFC 6052, RFC 8215), SIIT (RFC 2765), the oldest of RFC 4291. */
const carriers = ['64:ff9b::', '64:ff9b:1::', '::ffff:0:', '::'];

function embeddedAddress(host: string): string | undefined {
  return carriers.map((prefix) => addressBehind(prefix, host)).find((address) => address !== undefined);
}

/** The IPv4 address in an IPv6 one that begins with `prefix` and has nothing else, in either spelling. */
function addressBehind(prefix: string, host: string): string | undefined {
  if (!host.startsWith(prefix)) return undefined;
  const rest = host.slice(prefix.length);
  if (isIPv4(rest)) return rest;
  const [, high, low] = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(rest) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const [first, second] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [first >> 8, first & 255, second >> 8, second & 255].join('.');
}
