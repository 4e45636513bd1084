import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { buildConnector } from 'undici';
import { keepingAlerts } from './alerts.ts';
import type { HttpProxy } from './proxies.ts';
import { ProxyError, refusedBy } from './proxy-error.ts';
import type { HostTrust } from './trust.ts';

export interface TunnelOptions {
  readonly proxy: HttpProxy;
  /** For a proxy that is spoken to over TLS. */
  readonly proxyTrust: HostTrust | undefined;
  /** For the host behind it. */
  readonly trust: HostTrust | undefined;
  readonly userAgent: string;
  /** Milliseconds of silence while the tunnel is made, and again during the handshake behind it. */
  readonly timeoutMs: number;
  /** Ends tunnels that are being made. */
  readonly closed: AbortSignal;
}

/** Connects to https hosts through a proxy's `CONNECT` (RFC 9110, section 9.3.6). */
export function tunnelConnector(options: TunnelOptions): buildConnector.connector {
  return ({ hostname, port }, callback) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port || '443'}`;
    openTunnel(options, target)
      .then((socket) => secure(options, host, socket))
      .then(
        (socket) => callback(null, socket),
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
      );
  };
}

function openTunnel(options: TunnelOptions, target: string): Promise<Socket> {
  const { proxy, proxyTrust, timeoutMs, closed } = options;
  const isTls = proxy.url.protocol === 'https:';
  const host = proxy.url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)({
      host,
      port: proxy.url.port || (isTls ? 443 : 80),
      method: 'CONNECT',
      path: target,
      headers: headersOf(options, target),
      agent: false,
      timeout: timeoutMs,
      signal: closed,
      // Without it, the name would be taken from the `Host` header.
      ...(isTls ? { servername: serverName(host), ...proxyTrust?.connect } : {}),
    });
    request.once('connect', ({ statusCode = 0 }: IncomingMessage, socket: Socket, head: Buffer) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.on('error', () => {}).destroy();
        reject(refusedBy(proxy, statusCode));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket.setTimeout(0));
    });
    // An answer that is no tunnel although it says it is a success.
    request.once('response', (response: IncomingMessage) => {
      response.destroy();
      reject(refusedBy(proxy, response.statusCode ?? 0));
    });
    request.once('timeout', () => request.destroy(late()));
    request.on('error', (error) => reject(new ProxyError(proxy, 'unreachable', { cause: error })));
    request.end();
  });
}

function headersOf({ proxy, userAgent }: TunnelOptions, target: string): Record<string, string> {
  const { authorization } = proxy;
  const base = { host: target, 'user-agent': userAgent };
  return authorization === undefined ? base : { ...base, 'proxy-authorization': authorization };
}

/** Speaks TLS with the host through the tunnel. */
function secure({ trust, timeoutMs }: TunnelOptions, host: string, tunnel: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: tunnel,
      host,
      servername: serverName(host),
      ALPNProtocols: ['http/1.1'],
      ...trust?.connect,
    });
    socket.setTimeout(timeoutMs, () => socket.destroy(late()));
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      socket.removeAllListeners('timeout');
      resolve(keepingAlerts(socket.setTimeout(0)));
    });
    socket.once('error', (error) => {
      tunnel.destroy();
      reject(error);
    });
  });
}

/** Addresses have none (RFC 6066, section 3). */
function serverName(host: string): string {
  return isIP(host) === 0 ? host : '';
}

function late(): Error {
  return Object.assign(new Error('no reply in time'), { code: 'ETIMEDOUT' });
}
