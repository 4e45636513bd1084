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
  return isIn(host, '169.254.') || /^fe[89ab][0-9a-f]:/.test(host);
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
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(host)?.[1];
  if (dotted !== undefined) return dotted;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const [first, second] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [first >> 8, first & 255, second >> 8, second & 255].join('.');
}
