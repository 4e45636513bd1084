import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Certificate } from './certificates.ts';
import { onCleanup } from './cleanup.ts';

export interface TlsHostOptions extends Certificate {
  /** Ask for a certificate of this authority, and send those away who have none. */
  readonly clientAuthority?: string;
  /** Ask for a certificate and let everyone in. */
  readonly asksOnly?: boolean;
}

export interface SeenRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Common name of the client's certificate. */
  readonly client: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface TlsHost {
  readonly port: number;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly url: URL;
  readonly requests: readonly SeenRequest[];
}

/** An https server on a free port of 127.0.0.1 that answers 200 `ok` unless told otherwise. */
export async function startTlsHost(
  { cert, key, clientAuthority, asksOnly }: TlsHostOptions,
  answer: (request: SeenRequest) => Answer = () => ({ status: 200, body: 'ok' }),
): Promise<TlsHost> {
  const requests: SeenRequest[] = [];
  const asks = asksOnly === true || clientAuthority !== undefined;
  const options = {
    cert,
    key,
    requestCert: asks,
    rejectUnauthorized: clientAuthority !== undefined,
    ...(clientAuthority === undefined ? {} : { ca: clientAuthority }),
  };
  const server = https.createServer(options, (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    const client = Object.keys(peer).length === 0 ? undefined : String(peer.subject.CN);
    const seen = { path: request.url ?? '', headers: request.headers, client };
    requests.push(seen);
    const { status, headers = {}, body = '' } = answer(seen);
    response.writeHead(status, headers).end(body);
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return { port, host, url: new URL(`https://${host}/`), requests };
}
