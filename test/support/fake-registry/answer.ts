import type { IncomingMessage, ServerResponse } from 'node:http';
import { mediaTypes } from '../../../src/core/descriptor.ts';
import { jsonBlob, makeBlob } from './content.ts';
import type { Fault } from './faults.ts';
import { answerHostile } from './hostile.ts';
import { answerPresigned, sendToPresigned } from './presigned.ts';
import { refuse, sendContent } from './send.ts';
import type { LoggedRequest, State, Writable } from './state.ts';

const goodToken = 'good-token';

/** Answers one request, with whatever goes wrong with it. */
export async function answer(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const entry = record(state, request);
  response.on('error', () => {});
  const writeHead = response.writeHead;
  response.writeHead = ((status: number, ...rest: never[]) => {
    entry.status = status;
    return writeHead.call(response, status, ...rest);
  }) as typeof response.writeHead;
  const sending = (bytes: number) => {
    entry.bytes += bytes;
  };
  if (entry.path.startsWith('/presigned/')) return await answerPresigned(state, entry, request, response);
  const fault = state.faults.take(entry.path);
  if (fault && answerFault(fault, request, response)) return;
  if (fault && answerHostile(fault, request, response, sending)) return;
  if (fault?.kind === 'presigned') return sendToPresigned(state, fault, entry, response);
  if (entry.path === '/token') return answerToken(state, response);
  if (!isAllowed(state, request)) return challenge(state, entry.path, response);
  await answerContent(state, entry, fault, request, response);
}

function record(state: State, request: IncomingMessage): Writable<LoggedRequest> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const entry: Writable<LoggedRequest> = {
    method: request.method ?? '',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    range: request.headers.range,
    authorization: request.headers.authorization,
    accept: request.headers.accept,
    userAgent: request.headers['user-agent'],
    status: 0,
    bytes: 0,
  };
  state.log.push(entry);
  for (const wake of state.arrivals) wake();
  state.arrivals.clear();
  return entry;
}

/** Whether the fault is the whole answer. */
function answerFault(fault: Fault, request: IncomingMessage, response: ServerResponse): boolean {
  switch (fault.kind) {
    case 'silent':
      return true;
    case 'reset':
      request.socket.resetAndDestroy();
      return true;
    case 'serverError':
      refuse(
        response,
        fault.status ?? 500,
        'UNKNOWN',
        fault.text ?? 'the storage is on fire',
        waitHeader(fault),
      );
      return true;
    case 'notFound':
      refuse(response, 404, 'NOT_FOUND', 'not here');
      return true;
    case 'denied':
      refuse(response, 403, 'DENIED', 'requested access to the resource is denied');
      return true;
    case 'tooManyRequests':
      refuse(response, 429, 'TOOMANYREQUESTS', 'you have reached your pull rate limit', waitHeader(fault));
      return true;
    case 'redirectsTo':
      response.writeHead(fault.status ?? 307, { location: fault.url }).end('moved');
      return true;
    case 'hugeManifest':
      response.writeHead(200, { 'content-type': mediaTypes.ociManifest });
      response.end(`{"schemaVersion":2,"x":"${'x'.repeat(5 * 1_048_576)}"}`);
      return true;
    default:
      return false;
  }
}

function waitHeader({ retryAfter }: { readonly retryAfter?: string }): Record<string, string> {
  return retryAfter === undefined ? {} : { 'retry-after': retryAfter };
}

function answerToken(state: State, response: ServerResponse): void {
  const { tokenStatus = 200, field = 'token', expiresIn } = state.auth ?? {};
  if (tokenStatus !== 200) {
    refuse(response, tokenStatus, 'UNAUTHORIZED', 'no token for you');
    return;
  }
  const lifetime = expiresIn === undefined ? {} : { expires_in: expiresIn };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ [field]: goodToken, ...lifetime }));
}

function isAllowed(state: State, request: IncomingMessage): boolean {
  if (!state.auth) return true;
  const { kind, refusesToken = false } = state.auth;
  return kind === 'bearer' && !refusesToken && request.headers.authorization === `Bearer ${goodToken}`;
}

function challenge(state: State, path: string, response: ServerResponse): void {
  const [, repository = ''] = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(path) ?? [];
  const realm = state.auth?.realm ?? `http://${state.host}/token`;
  const bearer = `Bearer realm="${realm}",service="fake registry",scope="repository:${repository}:pull"`;
  const header = state.auth?.kind === 'basic' ? 'Basic realm="fake registry"' : bearer;
  refuse(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': header });
}

async function answerContent(
  state: State,
  entry: Writable<LoggedRequest>,
  fault: Fault | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (entry.path === '/v2/') return void response.writeHead(200).end();
  const [, repository, kind, name = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(entry.path) ?? [];
  if (kind === undefined) return refuse(response, 404, 'NAME_UNKNOWN', 'no such repository');
  const found = kind === 'blobs' ? state.blobs.get(name) : state.manifests.get(`${repository}/${name}`);
  const content = replacement(fault) ?? found;
  const missing = kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
  if (!content) return refuse(response, 404, missing, `${kind === 'blobs' ? 'blob' : 'manifest'} unknown`);
  const onBytes = (bytes: number) => {
    entry.bytes += bytes;
  };
  const gate = state.gates.get(name);
  await sendContent({ request, response, content, fault, gate, closed: state.closed, onBytes });
}

/** Content that a fault puts in the place of what was asked for. */
function replacement(fault: Fault | undefined) {
  if (fault?.kind === 'schema1') {
    return jsonBlob({ schemaVersion: 1, name: 'old', fsLayers: [] }, mediaTypes.dockerSchema1Signed);
  }
  if (fault?.kind !== 'body') return undefined;
  return makeBlob(Buffer.from(fault.bytes), fault.mediaType ?? mediaTypes.ociManifest);
}
