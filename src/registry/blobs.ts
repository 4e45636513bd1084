import { systemClock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import type { FollowedResponse } from '../http/redirects.ts';
import { transportProblem } from '../http/transport.ts';
import type { BlobSource, OpenBlob } from '../source/blob-source.ts';
import { endingStalls, type StallOptions } from '../source/stall.ts';
import type { Access } from './access.ts';
import type { Scope } from './auth.ts';
import { bringsRange, checkHeaders, rangeHeader, wrongSize } from './blob-range.ts';
import { blobUrl, isAnswerOf } from './endpoint.ts';
import { cutShort, redirectedError, statusError } from './failures.ts';

export interface BlobRanges {
  /**
   * Asks for a range also from byte 0 on, so that the server is told the size, and takes no other bytes than those asked
   * for. Default false.
   */
  readonly alwaysRanged?: boolean;
}

type BlobScope = Scope & Required<BlobRanges>;

/**
 * The blobs of one repository. A server that falls silent is left with `registry_stalled`. No retries here: whoever
 * stores the bytes knows where to go on.
 */
export function createBlobs(
  access: Access,
  scope: Scope,
  options: StallOptions & BlobRanges = { clock: systemClock },
): BlobSource {
  const { alwaysRanged = false } = options;
  const source: BlobSource = {
    url: scope.endpoint.base.origin,
    open: (layer, request) => readBlob(access, { ...scope, alwaysRanged }, layer, request),
  };
  return endingStalls(source, options);
}

type BlobRequest = OpenBlob & { readonly offset: number };

/** A response whose first byte is byte `start` of the blob. */
interface Opened {
  readonly response: FollowedResponse;
  readonly start: number;
}

async function* readBlob(
  access: Access,
  scope: BlobScope,
  layer: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  const { offset = 0, signal } = request;
  signal.throwIfAborted();
  if (offset > layer.size) throw new RangeError(`byte ${offset} lies behind the end of ${layer.digest}`);
  if (offset === layer.size) return;
  const { response, start } = await openAt(access, scope, layer, { ...request, offset });
  let position = start;
  try {
    for await (const chunk of response.body) {
      const before = position;
      position += chunk.length;
      if (position > layer.size) throw wrongSize(response.url, layer, `more than ${layer.size} bytes`);
      if (position > offset) yield before >= offset ? chunk : chunk.subarray(offset - before);
    }
  } catch (error) {
    if (isLayerpullError(error)) throw error;
    signal.throwIfAborted();
    throw cutShort(response.url, transportProblem(error), position, layer.size);
  }
  if (position < layer.size) throw cutShort(response.url, 'connection closed', position, layer.size);
}

/** Asks for the rest from `offset`. A registry that cannot give ranges is read from the start. */
async function openAt(
  access: Access,
  scope: BlobScope,
  layer: Descriptor,
  request: BlobRequest,
): Promise<Opened> {
  const { offset } = request;
  const response = await get(access, scope, layer, request);
  const isRefused = response.status === 416 || isOtherRange(response, layer, offset);
  if (offset > 0 && !scope.alwaysRanged && isRefused) {
    await response.discard();
    return await accept(await get(access, scope, layer, { ...request, offset: 0 }), scope, layer, 0);
  }
  return await accept(response, scope, layer, offset);
}

function isOtherRange(response: FollowedResponse, layer: Descriptor, offset: number): boolean {
  return response.status === 206 && !bringsRange(response, offset, layer.size);
}

function otherRange({ host }: URL, { digest }: Descriptor): LayerpullError {
  return new LayerpullError(
    'registry_protocol',
    `${host} sends other bytes of ${digest} than were asked for`,
  );
}

/** Time is kept by whoever watches for stalls: the limits of the client would only cut in before. */
function get(access: Access, scope: BlobScope, layer: Descriptor, { offset, signal, onHold }: BlobRequest) {
  const url = blobUrl(scope.endpoint, scope.repository, layer.digest);
  const headers = rangeHeader(offset, layer.size, scope.alwaysRanged);
  return access.get(scope, { url, headers, signal, onHold, headersTimeoutMs: 0, bodyTimeoutMs: 0 });
}

async function accept(
  response: FollowedResponse,
  scope: BlobScope,
  layer: Descriptor,
  offset: number,
): Promise<Opened> {
  const isPart = response.status === 206 && (offset > 0 || scope.alwaysRanged);
  const start = isPart ? offset : 0;
  if (response.status !== 200 && !isPart) {
    const name = `${layer.digest} of ${scope.endpoint.registry}/${scope.repository}`;
    const asked = blobUrl(scope.endpoint, scope.repository, layer.digest);
    const { pathname, search } = response.url;
    const own = isAnswerOf(scope.endpoint, response.url) && pathname === asked.pathname && search === '';
    throw await (own ? statusError : redirectedError)({ kind: 'blob', name }, response.url, response);
  }
  try {
    if (isPart && isOtherRange(response, layer, offset)) throw otherRange(response.url, layer);
    checkHeaders(response, layer, layer.size - start);
  } catch (error) {
    await response.discard();
    throw error;
  }
  return { response, start };
}
