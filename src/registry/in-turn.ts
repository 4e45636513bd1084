import type { Clock } from '../core/clock.ts';
import type { ErrorCode, LayerpullError } from '../core/errors.ts';
import { retry } from '../core/retry.ts';
import { allFailed, type Failure, isOfServer } from '../source/all-failed.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { type CoolDown, createCoolDown } from '../source/cool-down.ts';
import { type Candidate, fallback } from '../source/fallback.ts';
import { endingSlowness } from '../source/min-rate.ts';
import { type RetryBounds, retrying } from '../source/retry-table.ts';
import type { Scope } from './auth.ts';
import type { ImageServer, ImageServers } from './mirrors.ts';
import { formatReference, type ImageReference } from './reference.ts';

/** When a mirror is left. */
export interface MirrorBounds {
  /** Milliseconds for which a server that failed is left alone. Default 60,000. */
  readonly coolDownMs?: number;
  /** Bytes per second below which a mirror is left. Default 4,096; 0 never leaves. */
  readonly minRateBytesPerSecond?: number;
  /** Milliseconds of waiting over which that rate is measured. Default 30,000. */
  readonly minRateWindowMs?: number;
}

export interface InTurnOptions {
  readonly servers: ImageServers;
  readonly clock: Clock;
  readonly mirrors: MirrorBounds;
  /** For an image's documents; blobs are resumed by whoever reads them. */
  readonly bounds: RetryBounds;
}

/** Asks the servers of an image one after the other. */
export interface InTurn {
  /**
   * The first success of `ask`. With a single server `ask` is called once and retries by itself (`alone`); several are
   * asked once each, and all of them again as often as the retry table says.
   */
  first<T>(
    reference: ImageReference,
    signal: AbortSignal,
    ask: (scope: Scope, alone: boolean) => Promise<T>,
  ): Promise<T>;
  /** The blobs of an image; `blobsOf` gives those of one server. */
  blobs(reference: ImageReference, url: string, blobsOf: (scope: Scope) => BlobSource): BlobSource;
}

export function createInTurn(options: InTurnOptions): InTurn {
  const { servers, clock, mirrors, bounds } = options;
  const coolDown = createCoolDown(clock, mirrors.coolDownMs ?? 60_000);
  const minRate = {
    clock,
    bytesPerSecond: mirrors.minRateBytesPerSecond ?? 4_096,
    windowMs: mirrors.minRateWindowMs ?? 30_000,
  };
  return {
    async first(reference, signal, ask) {
      const list = await servers(reference);
      const [only] = list;
      if (list.length === 1 && only) return await ask(only.scope, true);
      const once = ({ scope }: ImageServer) => ask(scope, false);
      const all = () => firstOf(formatReference(reference), list, coolDown, once, signal);
      return await retry(all, { ...retrying('manifest', bounds), clock, signal });
    },
    blobs(reference, url, blobsOf) {
      const candidates = async () => {
        const list = await servers(reference);
        return list.map((server) => {
          const source = { ...blobsOf(server.scope), url: server.url };
          if (!server.isMirror) return { source };
          return candidateAt(server, endingSlowness(source, minRate), coolDown);
        });
      };
      return fallback({ url, candidates });
    },
  };
}

async function firstOf<T>(
  name: string,
  list: readonly ImageServer[],
  coolDown: CoolDown,
  ask: (server: ImageServer) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const last = list.at(-1);
  const isResting = (server: ImageServer) => server !== last && rests(server, coolDown);
  const failures: Failure[] = [];
  for (const server of [...list.filter((one) => !isResting(one)), ...list.filter(isResting)]) {
    try {
      return await ask(server);
    } catch (error) {
      signal.throwIfAborted();
      if (!isOfServer(error)) throw error;
      failures.push({ url: server.url, error });
      letRest(server, error, coolDown);
    }
  }
  throw allFailed(name, failures, last?.url ?? '');
}

function candidateAt(server: ImageServer, source: BlobSource, coolDown: CoolDown): Candidate {
  return {
    source,
    isResting: () => rests(server, coolDown),
    onFailure: (error) => letRest(server, error, coolDown),
  };
}

/** A server that lacks an image, or hides it, may have others. */
const ofRepository: ReadonlySet<ErrorCode> = new Set([
  'image_not_found',
  'platform_not_found',
  'access_denied',
]);

function rests(server: ImageServer, coolDown: CoolDown): boolean {
  return coolDown.isOn(server.url) || coolDown.isOn(repositoryOf(server));
}

/** What a server says about one blob says nothing about the next one; anything else it would say again. */
function letRest(server: ImageServer, error: LayerpullError, coolDown: CoolDown): void {
  if (error.code === 'blob_not_found') return;
  coolDown.begin(ofRepository.has(error.code) ? repositoryOf(server) : server.url, error.retryAfterMs);
}

function repositoryOf({ url, scope }: ImageServer): string {
  return `${url} ${scope.repository}`;
}
