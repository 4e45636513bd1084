import type { Clock } from '../core/clock.ts';
import { type ErrorCode, isLayerpullError, LayerpullError } from '../core/errors.ts';
import { type Credentials, noCredentials } from '../registry/credentials/credentials.ts';
import type { Readers, RegistryReader } from '../registry/readers.ts';
import type { ImageReference } from '../registry/reference.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { callerName, readCredential, shownTo } from './mirror-caller.ts';
import type { Caller } from './mirror-port.ts';
import { Recent } from './recent.ts';

export interface UpstreamOptions {
  readonly readers: Readers;
  readonly clock: Clock;
  /** Shown for callers that show nothing. Default: they are anonymous. */
  readonly agent?: Credentials;
}

/** Somebody at one registry. */
export interface Visitor {
  /** What proofs are recorded under. */
  readonly name: string;
  readonly reader: RegistryReader;
}

/** Readers in memory, with their tokens. One that is forgotten gets new ones. */
const mostVisitors = 256;
/** Milliseconds for which a registry that could not be reached is not asked where a record can answer. */
const restMs = 10_000;
const mostResting = 256;

/** Registries as the callers of a mirror may read them. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #visitors = new Recent<string, Visitor>(mostVisitors);
  readonly #restsUntilMs = new Recent<string, number>(mostResting);

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** @param key for the hashes of what callers show */
  visitor(registry: string, caller: Caller, key: Uint8Array): Visitor {
    const name = callerName(caller, key, this.#options.agent !== undefined);
    const place = `${name} ${registry}`;
    const known = this.#visitors.get(place);
    if (known) return known;
    const visitor = { name, reader: this.#options.readers.as(this.#credentialsOf(registry, caller)) };
    this.#visitors.set(place, visitor);
    return visitor;
  }

  /** Whether the registry was out of reach a moment ago. */
  rests(registry: string): boolean {
    return this.#options.clock.now() < (this.#restsUntilMs.get(registry) ?? 0);
  }

  /** Notes how the registry fared with a question. */
  note(registry: string, error: unknown): void {
    if (error === undefined) this.#restsUntilMs.delete(registry);
    else if (isOutOfReach(error)) this.#restsUntilMs.set(registry, this.#options.clock.now() + restMs);
  }

  /** The blobs of a registry as this visitor gets them; at once none while it is out of reach. */
  blobs(reference: ImageReference, { reader }: Visitor): BlobSource {
    const source = reader.blobs(reference);
    const { registry } = reference;
    const rests = () => this.rests(registry);
    return {
      url: source.url,
      async *open(descriptor, request) {
        if (rests()) throw outOfReach(registry);
        yield* source.open(descriptor, request);
      },
    };
  }

  #credentialsOf(registry: string, { authorization }: Caller): Credentials {
    if (authorization === undefined) return this.#options.agent ?? noCredentials;
    const credential = readCredential(authorization);
    if (credential) return shownTo(registry, credential);
    throw new LayerpullError('access_denied', 'what was sent as authorization cannot be read', {
      origin: 'user',
    });
  }
}

/** Who is reached and fails answers soon, and may answer better about something else. */
function isOutOfReach(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'registry_unreachable';
}

/** The registry gave no answer to whether somebody may read something. */
const outages: ReadonlySet<ErrorCode> = new Set([
  'registry_unreachable',
  'registry_failed',
  'registry_stalled',
  'registry_protocol',
  'rate_limited',
  'timed_out',
]);

export function isOutage(error: unknown): boolean {
  return isLayerpullError(error) && outages.has(error.code);
}

/** Whoever waits has another way: it is not tried again here. */
function outOfReach(registry: string): LayerpullError {
  return new LayerpullError('registry_unreachable', `${registry} was out of reach a moment ago`, {
    retryable: false,
  });
}
