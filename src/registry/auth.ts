import * as v from 'valibot';
import { abortable, withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import { isLinkLocal } from '../http/addresses.ts';
import { readWhole } from '../http/limits.ts';
import { type FollowedResponse, sendFollowing } from '../http/redirects.ts';
import type { TokenService } from './challenge.ts';
import type { Endpoint } from './endpoint.ts';
import { statusError, unreachable } from './failures.ts';
import type { Transport } from './transport.ts';

/** What a token is good for: reading one repository. */
export interface Scope {
  readonly endpoint: Endpoint;
  readonly repository: string;
}

/** Bearer tokens of anonymous readers (distribution-spec, "token authentication"), kept while they are good. */
export interface Tokens {
  /** The token for a scope, if its registry asked for one before; an expired one is replaced first. */
  current(scope: Scope, signal: AbortSignal): Promise<string | undefined>;
  /** Another token than `used`, which the registry refused, or the first. Callers at the same time share one request. */
  renew(scope: Scope, service: TokenService, used: string | undefined, signal: AbortSignal): Promise<string>;
}

export interface TokensOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Ends requests under way when the registry client closes. */
  readonly closed: AbortSignal;
}

interface Known {
  readonly service: TokenService;
  readonly token: string;
  /** By the clock's `now`. */
  readonly expiresMs: number;
}

const maxReplyBytes = 65_536;
const replyWithinMs = 30_000;
/** What a reply without `expires_in` means, and the least that is taken seriously: 60 s, as the specification says. */
const leastLifetimeS = 60;

export function createTokens(options: TokensOptions): Tokens {
  const known = new Map<string, Known>();
  const flights = new Map<string, Promise<string>>();

  const fetchOnce = (scope: Scope, service: TokenService): Promise<string> => {
    const key = keyOf(scope);
    const flight = flights.get(key);
    if (flight) return flight;
    const started = fetchToken(options, scope, service)
      .then((fresh) => {
        known.set(key, fresh);
        return fresh.token;
      })
      .finally(() => flights.delete(key));
    flights.set(key, started);
    return started;
  };

  return {
    async current(scope, signal) {
      const entry = known.get(keyOf(scope));
      if (!entry || options.clock.now() < entry.expiresMs) return entry?.token;
      return await abortable(fetchOnce(scope, entry.service), signal);
    },
    async renew(scope, service, used, signal) {
      const entry = known.get(keyOf(scope));
      if (entry && entry.token !== used) return entry.token;
      return await abortable(fetchOnce(scope, service), signal);
    },
  };
}

function keyOf({ endpoint, repository }: Scope): string {
  return `${endpoint.base.origin} ${repository}`;
}

async function fetchToken(options: TokensOptions, scope: Scope, service: TokenService): Promise<Known> {
  const { clock, closed } = options;
  const url = tokenUrl(scope, service);
  const late = () => unreachable(url, new Error(`no token within ${replyWithinMs / 1_000} s`));
  return await withDeadline(clock, replyWithinMs, closed, late, async (signal) => {
    const askedMs = clock.now();
    const response = await sendFollowing(options.transport, { method: 'GET', url, signal });
    const { token, lifetimeS } = await readToken(scope, response, signal);
    return { service, token, expiresMs: askedMs + lifetimeS * 1_000 };
  });
}

function tokenUrl({ endpoint, repository }: Scope, { realm, service }: TokenService): URL {
  if (!URL.canParse(realm)) throw badRealm(endpoint, 'is no URL');
  const url = new URL(realm);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw badRealm(endpoint, 'is neither http nor https');
  if (isLinkLocal(url.hostname)) throw badRealm(endpoint, 'has a link-local address');
  if (url.username !== '' || url.password !== '') throw badRealm(endpoint, 'has credentials in its URL');
  if (endpoint.base.protocol === 'https:' && url.protocol === 'http:')
    throw badRealm(endpoint, 'is not https');
  url.hash = '';
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', `repository:${repository}:pull`);
  return url;
}

function badRealm({ registry }: Endpoint, problem: string): LayerpullError {
  return new LayerpullError('registry_protocol', `${registry} names a token service that ${problem}`, {
    hint: 'such a service is not asked; the registry is set up wrongly',
  });
}

const tokenReply = v.object({
  token: v.optional(v.string()),
  access_token: v.optional(v.string()),
  expires_in: v.optional(v.number()),
});

async function readToken(scope: Scope, response: FollowedResponse, signal: AbortSignal) {
  const { url, body } = response;
  const name = `${scope.endpoint.registry}/${scope.repository}`;
  if (response.status !== 200) throw await statusError({ kind: 'token', name }, url, response);
  const bytes = await readWhole(body, maxReplyBytes, () => badReply(url)).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error instanceof LayerpullError ? error : unreachable(url, error);
  });
  const reply = v.safeParse(tokenReply, parseJson(bytes));
  const token = reply.success ? reply.output.token || reply.output.access_token : undefined;
  // Anything else could not stand in a header.
  if (!reply.success || token === undefined || !/^[\x21-\x7e]+$/.test(token)) throw badReply(url);
  return { token, lifetimeS: Math.max(leastLifetimeS, reply.output.expires_in ?? 0) };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function badReply(url: URL): LayerpullError {
  return new LayerpullError(
    'registry_protocol',
    `the token service ${url.host} answered without a usable token`,
    {
      hint: 'the registry or something before it is set up wrongly',
    },
  );
}
