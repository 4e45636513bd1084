import { BlockList, isIP, isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';
import { isLoopback } from './addresses.ts';

/** Whether a host and port are reached without a proxy. */
type Exception = (host: string, port: string) => boolean;

/**
 * What `NO_PROXY` says, read as Go does: `*`, `example.com` (with all below it), `.example.com` and `*.example.com`
 * (only what is below it), `10.1.2.3`, `10.0.0.0/8`, each name and address also with `:PORT`. Addresses of this machine
 * never go through a proxy.
 */
export function createNoProxy(text: string): (url: URL) => boolean {
  const entries = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  const exceptions = entries.map(parseEntry);
  return (url) => {
    const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    return isLoopback(host) || exceptions.some((matches) => matches(host, port));
  };
}

function parseEntry(entry: string): Exception {
  if (entry === '*') return () => true;
  const network = parseNetwork(entry);
  if (network) return (host) => contains(network, host);
  const { host, port } = splitPort(entry);
  const inner = host.replace(/^\[|\]$/g, '');
  const onPort = (matches: (host: string) => boolean): Exception =>
    port === '' ? matches : (candidate, at) => at === port && matches(candidate);
  if (isIP(inner) !== 0) {
    const address = new BlockList();
    address.addAddress(inner, familyOf(inner));
    return onPort((candidate) => contains(address, candidate));
  }
  return onPort(domainMatcher(inner));
}

/** `10.0.0.0/8`, `fd00::/8`. */
function parseNetwork(entry: string): BlockList | undefined {
  const [, address = '', prefix = ''] = /^(.+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(prefix) > (family === 4 ? 32 : 128)) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(prefix), familyOf(address));
  return network;
}

function splitPort(entry: string): { host: string; port: string } {
  if (isIP(entry) === 6) return { host: entry, port: '' };
  const [, host = entry, port = ''] = /^(.*):(\d+)$/.exec(entry) ?? [];
  return { host, port };
}

function domainMatcher(name: string): (host: string) => boolean {
  const below = name.startsWith('*.') ? name.slice(1) : name;
  const bare = below.replace(/^\./, '').replace(/\.$/, '');
  const domain = domainToASCII(bare) || bare;
  if (domain === '') return () => false;
  if (below.startsWith('.')) return (host) => host.endsWith(`.${domain}`);
  return (host) => host === domain || host.endsWith(`.${domain}`);
}

function contains(list: BlockList, host: string): boolean {
  return isIP(host) !== 0 && list.check(host, familyOf(host));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}
