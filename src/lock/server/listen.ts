import type { FastifyInstance } from 'fastify';
import { LayerpullError, messageOf, systemCodeOf } from '../../core/errors.ts';

export type ListenOptions =
  /** `port` 0 picks a free one. */
  { readonly host: string; readonly port: number } | { readonly socketPath: string };

/**
 * Starts to listen and answers the URL to reach the server under; for a socket, one with an arbitrary host.
 * @throws LayerpullError `address_in_use`, `usage`
 */
export async function listen(app: FastifyInstance, options: ListenOptions, scheme = 'http'): Promise<string> {
  try {
    if ('socketPath' in options) {
      await app.listen({ path: options.socketPath });
      return 'http://localhost';
    }
    await app.listen({ host: options.host, port: options.port });
    return urlOf(scheme, options.host, app);
  } catch (error) {
    throw listenError(options, error);
  }
}

const wildcards = new Set(['0.0.0.0', '::', '']);

function urlOf(scheme: string, host: string, app: FastifyInstance): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  if (wildcards.has(host)) return `${scheme}://localhost:${port}`;
  return host.includes(':') ? `${scheme}://[${host}]:${port}` : `${scheme}://${host}:${port}`;
}

function listenError(options: ListenOptions, error: unknown): LayerpullError {
  const address = 'socketPath' in options ? options.socketPath : `${options.host}:${options.port}`;
  const fail = (code: 'address_in_use' | 'usage', problem: string, hint: string) =>
    new LayerpullError(code, `cannot listen on ${address}: ${problem}`, { hint, cause: error });
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return fail(
        'address_in_use',
        'the address is in use',
        'stop the other program or choose another port with --addr',
      );
    case 'EACCES':
    case 'EPERM':
      return fail('usage', 'permission denied', 'choose a port above 1023 with --addr');
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return fail(
        'usage',
        'it is not an address of this machine',
        'choose one with --addr, such as 0.0.0.0:8080',
      );
    default:
      return fail('usage', messageOf(error), 'choose another address with --addr');
  }
}
