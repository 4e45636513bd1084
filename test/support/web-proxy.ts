import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Certificate } from './certificates.ts';
import { onCleanup } from './cleanup.ts';

/** One request to the proxy. */
export interface ProxiedRequest {
  /** `CONNECT registry.test:443`, `GET http://registry.test/v2/` */
  readonly line: string;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  /** What the proxy answered with; 0 while it passes something on. */
  status: number;
}

export interface WebProxyOptions {
  /** Where names lead: `registry.test:443` to `127.0.0.1:PORT`. What is not here is answered with 502. */
  readonly hosts: Readonly<Record<string, string>>;
  /** `user:password` to ask for. Default: everyone may. */
  readonly credentials?: string;
  /** Speak TLS with the clients. */
  readonly tls?: Certificate;
  /** Answer every CONNECT with this status. */
  readonly connectStatus?: number;
}

export interface WebProxy {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly requests: readonly ProxiedRequest[];
  /** The lines of what was asked, in the order of arrival. */
  lines(): string[];
}

/** A proxy as companies have them, for http (whole URLs) and https (CONNECT), on a free port of 127.0.0.1. */
export async function startWebProxy(options: WebProxyOptions): Promise<WebProxy> {
  const requests: ProxiedRequest[] = [];
  const sockets = new Set<Socket>();
  const server = options.tls ? https.createServer(options.tls) : http.createServer();
  const record = ({ method, url, headers }: IncomingMessage): ProxiedRequest => {
    const request = { line: `${method} ${url}`, headers, status: 0 };
    requests.push(request);
    return request;
  };
  server.on('request', (request, response) => forward(options, record(request), request, response));
  server.on('connect', (request, socket: Socket) =>
    tunnel(options, record(request), request, socket, sockets),
  );
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { host: `127.0.0.1:${port}`, requests, lines: () => requests.map(({ line }) => line) };
}

function forward(
  options: WebProxyOptions,
  record: ProxiedRequest,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const target = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : undefined;
  const place = target && options.hosts[`${target.hostname}:${target.port || '80'}`];
  record.status = whyNot(options, request) ?? (place === undefined ? 502 : 0);
  if (!target || place === undefined || record.status !== 0) {
    response.writeHead(record.status || 400).end();
    return;
  }
  const { 'proxy-authorization': _, ...headers } = request.headers;
  const path = `${target.pathname}${target.search}`;
  const onward = http.request(`http://${place}${path}`, { method: request.method, headers, agent: false });
  onward.once('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, response, () => {});
  });
  onward.on('error', () => response.destroy());
  onward.end();
}

function tunnel(
  options: WebProxyOptions,
  record: ProxiedRequest,
  request: IncomingMessage,
  socket: Socket,
  sockets: Set<Socket>,
): void {
  socket.on('error', () => {});
  const place = options.hosts[request.url ?? ''];
  record.status = whyNot(options, request) ?? options.connectStatus ?? (place === undefined ? 502 : 0);
  if (place === undefined || record.status !== 0) {
    socket.end(`HTTP/1.1 ${record.status} No\r\nconnection: close\r\n\r\n`);
    return;
  }
  const [host, port] = place.split(':');
  const onward = net.connect(Number(port), host, () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    pipeline(socket, onward, socket, () => {});
  });
  sockets.add(onward.once('close', () => sockets.delete(onward)));
  onward.on('error', () => socket.destroy());
}

function whyNot({ credentials }: WebProxyOptions, { headers }: IncomingMessage): number | undefined {
  if (credentials === undefined) return undefined;
  const wanted = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return headers['proxy-authorization'] === wanted ? undefined : 407;
}
