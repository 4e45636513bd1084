import { isLayerpullError } from '../core/errors.ts';
import type { Transport } from './transport.ts';

/**
 * `transport`, but a host of `hosts` that cannot be reached over https is asked over http from then on, as other
 * clients do for a registry that is called insecure.
 */
export function speakingEither(transport: Transport, hosts: ReadonlySet<string>): Transport {
  const plain = new Set<string>();
  return {
    async send(request) {
      const { url } = request;
      if (url.protocol !== 'https:' || !hosts.has(url.host)) return await transport.send(request);
      const overHttp = new URL(`http:${url.href.slice('https:'.length)}`);
      const sendOverHttp = async () => ({
        ...(await transport.send({ ...request, url: overHttp })),
        url: overHttp,
      });
      if (plain.has(url.host)) return await sendOverHttp();
      try {
        return await transport.send(request);
      } catch (error) {
        if (!isLayerpullError(error) || error.code !== 'registry_unreachable') throw error;
        const response = await sendOverHttp().catch(() => undefined);
        if (!response) throw error;
        plain.add(url.host);
        return response;
      }
    },
  };
}
