import { abortable, withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { TokenService } from './challenge.ts';
import {
  type Credential,
  type Credentials,
  noCredentials,
  type SecretOfUser,
} from './credentials/credentials.ts';
import { type Endpoint, isOwnHost } from './endpoint.ts';
import { unreachable } from './failures.ts';
import { requestToken, type TokenReply } from './token-service.ts';
import type { Transport } from './transport.ts';

/** What somebody wants to read: one repository. */
export interface Scope {
  readonly endpoint: Endpoint;
  readonly repository: string;
}

/** A bearer token. */
export interface Token {
  readonly value: string;
  /** Where the credentials came from that got it; undefined for an anonymous reader. */
  readonly from: string | undefined;
}

/** Bearer tokens (distribution-spec, "token authentication"), kept while they are good. */
export interface Tokens {
  /** The token for a scope, if its registry asked for one before; an expired one is replaced first. */
  current(scope: Scope, signal: AbortSignal): Promise<Token | undefined>;
  /**
   * Another token than `used`, which the registry refused, or the first. Callers at the same time share one request.
   *
   * @param used value of the token that was refused
   */
  renew(scope: Scope, service: TokenService, used: string | undefined, signal: AbortSignal): Promise<Token>;
}

export interface TokensOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Default: none, an anonymous reader. */
  readonly credentials?: Credentials;
  /** Ends requests under way when the registry client closes. */
  readonly closed: AbortSignal;
}

interface Known {
  readonly service: TokenService;
  readonly token: Token;
  /** By the clock's `now`. */
  readonly expiresMs: number;
}

const replyWithinMs = 30_000;

export function createTokens(options: TokensOptions): Tokens {
  const { credentials = noCredentials, closed } = options;
  const known = new Map<string, Known>();
  const flights = new Map<string, Promise<Token>>();
  /** Identity tokens that their service replaced: the new one by the old one. */
  const replaced = new Map<string, string>();

  const fetchToken = async (scope: Scope, service: TokenService): Promise<Known> => {
    const found = await credentials.find(credentialName(scope.endpoint), scope.repository, closed);
    if (found?.kind === 'registry') return knownForEver(service, found);
    const credential = found?.kind === 'identity' ? newest(found, replaced) : found;
    const askedMs = options.clock.now();
    const reply = await askWithin(options, scope, service, credential);
    if (found?.kind === 'identity' && reply.identity !== undefined) replaced.set(found.token, reply.identity);
    const token = { value: reply.token, from: credential?.from };
    return { service, token, expiresMs: askedMs + reply.lifetimeS * 1_000 };
  };

  const fetchOnce = (scope: Scope, service: TokenService): Promise<Token> => {
    const key = scopeKey(scope);
    const flight = flights.get(key);
    if (flight) return flight;
    const started = fetchToken(scope, service)
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
      const entry = known.get(scopeKey(scope));
      if (!entry || options.clock.now() < entry.expiresMs) return entry?.token;
      return await abortable(fetchOnce(scope, entry.service), signal);
    },
    async renew(scope, service, used, signal) {
      const entry = known.get(scopeKey(scope));
      if (entry && entry.token.value !== used) return entry.token;
      return await abortable(fetchOnce(scope, service), signal);
    },
  };
}

export function scopeKey({ endpoint, repository }: Scope): string {
  return `${endpoint.base.origin} ${repository}`;
}

/**
 * The name under which credentials for an endpoint are kept: that of its registry, but the host's own where another
 * host answers in its place. So nobody is shown what is kept for somebody else.
 */
export function credentialName(endpoint: Endpoint): string {
  return isOwnHost(endpoint) ? endpoint.registry : endpoint.base.host;
}

function knownForEver(service: TokenService, { token, from }: Credential & { kind: 'registry' }): Known {
  return { service, token: { value: token, from }, expiresMs: Number.POSITIVE_INFINITY };
}

function newest(credential: Credential & { kind: 'identity' }, replaced: ReadonlyMap<string, string>) {
  return { ...credential, token: replaced.get(credential.token) ?? credential.token };
}

async function askWithin(
  { transport, clock, closed }: TokensOptions,
  { endpoint, repository }: Scope,
  service: TokenService,
  credential: SecretOfUser | undefined,
): Promise<TokenReply> {
  const name = `${endpoint.registry}/${repository}`;
  const scope = `repository:${repository}:pull`;
  const late = () =>
    unreachable(urlOf(service, endpoint), new Error(`no token within ${replyWithinMs / 1_000} s`));
  return await withDeadline(clock, replyWithinMs, closed, late, (signal) =>
    requestToken(transport, { endpoint, service, scope, name, credential }, signal),
  );
}

function urlOf({ realm }: TokenService, { base }: Endpoint): URL {
  return URL.canParse(realm) ? new URL(realm) : base;
}
