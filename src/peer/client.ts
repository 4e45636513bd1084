import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import { isLinkLocal } from '../http/addresses.ts';
import { createHttpClient, type HttpClient } from '../http/client.ts';
import type { ClientTrust } from '../http/fleet-trust.ts';
import type { Access } from '../registry/access.ts';
import { createBlobs } from '../registry/blobs.ts';
import { blobUrl } from '../registry/endpoint.ts';
import type { ImageReference } from '../registry/reference.ts';
import { namingHosts, type Transport } from '../registry/transport.ts';
import type { BlobSource, OpenBlob } from '../source/blob-source.ts';
import { endingSlowness } from '../source/min-rate.ts';
import type { Allowed } from './mirror-port.ts';
import { bytesHeader } from './probe.ts';
import { recordOf, recordPath } from './records.ts';

export interface PeersOptions {
  readonly userAgent: string;
  readonly clock: Clock;
  /** What peers are told and checked by. Default: nothing, and what Node trusts. Whoever made it closes it. */
  readonly trust?: ClientTrust | undefined;
  /**
   * Milliseconds without a byte until a peer counts as silent. Default 5,000. In the last 1,000 of them it is to be asked
   * how much it has, which may take as long.
   */
  readonly silenceMs?: number;
  /** Bytes per second below which a peer is left. Default 16,384; 0: none is too slow. */
  readonly minBytesPerSecond?: number;
  /** Milliseconds over which that rate is measured. Default 10,000. */
  readonly minRateWindowMs?: number;
  /** Another client, which stays open when this closes. It should refuse link-local addresses, and have no proxy. */
  readonly http?: HttpClient;
}

/**
 * The other nodes as sources: the registry client with another base URL, and without its credentials, redirects and
 * proxies. A link-local address is not asked, whoever names it: clouds hand out the credentials of a machine there.
 */
export interface Peers {
  /**
   * The blobs of the peer at `url`. Errors have the origin `peer`: `registry_stalled` for one that falls silent, `timed_out` for
   * one that is too slow, else as of a registry.
   */
  blobs(url: string): BlobSource;
  /** How many bytes of a blob the peer says it has; undefined where it does not answer within a second. */
  bytesOf(url: string, descriptor: Descriptor, signal: AbortSignal): Promise<number | undefined>;
  /** What a reference means by the records of the peer at `url`; undefined: it has none. @throws LayerpullError */
  recorded(url: string, reference: ImageReference, signal: AbortSignal): Promise<Allowed | undefined>;
  close(): Promise<void>;
}

const defaultSilenceMs = 5_000;
const probeMs = 1_000;
const slowness = { bytesPerSecond: 16_384, windowMs: 10_000 };
/** Peers serve a blob under any name. */
const repository = 'layerpull';

/** @throws LayerpullError `usage` for certificate files that cannot be used */
export function createPeers(options: PeersOptions): Peers {
  const { userAgent, clock, trust, silenceMs = defaultSilenceMs } = options;
  const { minBytesPerSecond = slowness.bytesPerSecond, minRateWindowMs = slowness.windowMs } = options;
  const ownTls = trust && { ownTls: trust.tls };
  const http = options.http ?? createHttpClient({ userAgent, refuseLinkLocal: true, ...ownTls });
  const transport = namingHosts(http);
  const access = accessOf(transport, trust);
  const minRate = { clock, bytesPerSecond: minBytesPerSecond, windowMs: minRateWindowMs };
  return {
    blobs: (url) => ({
      url,
      async *open(descriptor, request) {
        const stallMs = Math.max(silenceMs - probeMs, silenceMs / 2);
        const ranged = { clock, stallMs, alwaysRanged: true };
        const blobs = createBlobs(access, { endpoint: endpointAt(url), repository }, ranged);
        yield* openAtPeer(endingSlowness(withPeerErrors(blobs), minRate), descriptor, request);
      },
    }),
    bytesOf: (url, descriptor, signal) => {
      const late = () => new Error('no answer in time');
      const ask = (within: AbortSignal) => askBytes(access, url, descriptor, within);
      return withDeadline(clock, probeMs, signal, late, ask).catch(() => {
        signal.throwIfAborted();
        return undefined;
      });
    },
    recorded: (url, reference, signal) => askRecord(access, url, reference, signal),
    close: async () => {
      if (!options.http) await http.close();
    },
  };
}

/** Sends the fleet's token and nothing else; whatever comes back, redirects too, is the answer. */
function accessOf(transport: Transport, trust: ClientTrust | undefined): Access {
  return {
    async get(_, { method = 'GET', headers, ...request }) {
      const token = trust?.token();
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const sent = { ...request, method, headers: { ...headers, ...authorization }, isForeign: true };
      return { ...(await transport.send(sent)), url: request.url };
    },
  };
}

/** @throws LayerpullError `registry_protocol` for what is no address of a peer */
function endpointAt(url: string): { readonly registry: string; readonly base: URL } {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain = base && /^https?:$/.test(base.protocol) && base.username === '' && base.password === '';
  if (!isPlain) throw badAddress('the address of a peer is no http URL');
  if (isLinkLocal(base.hostname))
    throw badAddress(`${base.host} is a link-local address, which is not asked`);
  return { registry: base.host, base };
}

function badAddress(problem: string): LayerpullError {
  return new LayerpullError('registry_protocol', problem, { origin: 'peer' });
}

/** @param source whose own errors are of a peer already; the others say that it is slow */
async function* openAtPeer(source: BlobSource, descriptor: Descriptor, request: OpenBlob) {
  try {
    yield* source.open(descriptor, request);
  } catch (error) {
    request.signal.throwIfAborted();
    if (!isLayerpullError(error) || error.origin === 'peer') throw error;
    throw new LayerpullError('timed_out', error.message, { origin: 'peer', cause: error });
  }
}

function withPeerErrors(source: BlobSource): BlobSource {
  return {
    url: source.url,
    async *open(descriptor, request) {
      try {
        yield* source.open(descriptor, request);
      } catch (error) {
        request.signal.throwIfAborted();
        throw isLayerpullError(error) ? ofPeer(error) : error;
      }
    },
  };
}

/** What the registry client says, but of a peer: there is nothing for the user to do about it. */
function ofPeer(error: LayerpullError): LayerpullError {
  const { code, message, retryable, retryAfterMs } = error;
  return new LayerpullError(code, message, { origin: 'peer', retryable, retryAfterMs, cause: error });
}

async function askRecord(
  access: Access,
  url: string,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<Allowed | undefined> {
  const endpoint = endpointAt(url);
  const asked = new URL(recordPath(reference), endpoint.base);
  const response = await access.get({ endpoint, repository }, { method: 'HEAD', url: asked, signal });
  await response.discard();
  return recordOf(reference, response.status, response.headers);
}

async function askBytes(
  access: Access,
  url: string,
  { digest, size }: Descriptor,
  signal: AbortSignal,
): Promise<number | undefined> {
  const endpoint = endpointAt(url);
  const response = await access.get(
    { endpoint, repository },
    {
      method: 'HEAD',
      url: blobUrl(endpoint, repository, digest),
      headers: { range: `bytes=0-${size - 1}` },
      signal,
    },
  );
  await response.discard();
  const bytes = response.headers[bytesHeader] ?? '';
  if (response.status >= 400) return 0;
  return /^\d{1,15}$/.test(bytes) ? Number(bytes) : undefined;
}
