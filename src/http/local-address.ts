import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { isLoopback } from './addresses.ts';

/**
 * The address of this machine from which a server is reached, as others on that way would reach it. Nothing is sent:
 * connecting a UDP socket only asks the routing table. Undefined when there is no way, or no name of that kind.
 */
export async function localAddressTowards({ hostname, port, protocol }: URL): Promise<string | undefined> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const toPort = Number(port) || (protocol === 'https:' ? 443 : 80);
  const families = isIP(host) === 6 ? (['udp6'] as const) : (['udp4', 'udp6'] as const);
  for (const family of families) {
    const address = await addressOf(family, host, toPort);
    if (address !== undefined) return address;
  }
  return undefined;
}

/**
 * The same towards the first of some servers that it is found for, without waiting for names that do not resolve. One
 * that runs on this machine is reached by an address that means nothing to others, so any other one comes before it.
 */
export async function localAddressTowardsAny(servers: readonly URL[]): Promise<string | undefined> {
  const looks = servers.map(localAddressTowards);
  const forOthers = looks.map(async (look) => {
    const address = await look;
    if (address === undefined || isLoopback(address)) throw new Error('of no use to others');
    return address;
  });
  return await Promise.any(forOthers).catch(async () =>
    (await Promise.all(looks)).find((address) => address !== undefined),
  );
}

function addressOf(type: 'udp4' | 'udp6', host: string, port: number): Promise<string | undefined> {
  const socket = createSocket({ type });
  return new Promise((resolve) => {
    const end = (address: string | undefined) => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => end(undefined));
    socket.connect(port, host, () => {
      const { address } = socket.address();
      // One that holds only on this link, or none at all, is of no use to others.
      end(/%|^(0\.0\.0\.0|::)$/.test(address) ? undefined : address);
    });
  });
}
