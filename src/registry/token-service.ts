import * as v from 'valibot';
import { LayerpullError } from '../core/errors.ts';
import { isLinkLocal } from '../http/addresses.ts';
import type { HttpRequest } from '../http/client.ts';
import { readWhole } from '../http/limits.ts';
import { type FollowedResponse, sendFollowing } from '../http/redirects.ts';
import type { TokenService } from './challenge.ts';
import { basicHeader, type IdentityCredential, type SecretOfUser } from './credentials/credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { statusError, unreachable } from './failures.ts';
import type { Transport } from './transport.ts';

export interface TokenRequest {
  readonly endpoint: Endpoint;
  readonly service: TokenService;
  /** `repository:NAME:pull`; undefined for a token that only shows who somebody is. */
  readonly scope: string | undefined;
  /** What the token is for, in messages. */
  readonly name: string;
  readonly credential: SecretOfUser | undefined;
  /** Ask for an identity token too. */
  readonly offline?: boolean;
}

export interface TokenReply {
  readonly token: string;
  /** Seconds. */
  readonly lifetimeS: number;
  /** An identity token, which replaces the one that was shown. */
  readonly identity: string | undefined;
}

const clientId = 'layerpull';
const maxReplyBytes = 65_536;
/** What a reply without `expires_in` means, and the least that is taken seriously: 60 s, as the specification says. */
const leastLifetimeS = 60;
/** Services that do not know the OAuth2 way answer so. */
const knowsNoPost: ReadonlySet<number> = new Set([404, 405]);

/**
 * Asks a registry's token service once: by GET, with a password as Basic; with an identity token by POST (distribution,
 * "Token Authentication" and "Oauth2 Token Authentication"), and where the service knows no POST, by GET too.
 *
 * @throws LayerpullError
 */
export async function requestToken(
  transport: Transport,
  request: TokenRequest,
  signal: AbortSignal,
): Promise<TokenReply> {
  const { endpoint, service, credential } = request;
  const realm = realmUrl(endpoint, service);
  if (credential?.kind === 'identity') {
    const response = await post(transport, realm, request, credential, signal);
    if (!knowsNoPost.has(response.status)) return await readReply(request, response, signal);
    await response.discard();
  }
  const headers = credential ? { authorization: basicOf(credential) } : {};
  const url = queryUrl(realm, request);
  return await readReply(
    request,
    await sendFollowing(transport, { method: 'GET', url, headers, isForeign: true, signal }),
    signal,
  );
}

function basicOf(credential: SecretOfUser): string {
  return basicHeader(
    credential.username,
    credential.kind === 'password' ? credential.password : credential.token,
  );
}

/** Where the challenge leads, if anybody may be led there. */
function realmUrl(endpoint: Endpoint, { realm, overHttp = false }: TokenService): URL {
  if (!URL.canParse(realm)) throw badRealm(endpoint, 'is no URL');
  const url = new URL(realm);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw badRealm(endpoint, 'is neither http nor https');
  if (isLinkLocal(url.hostname)) throw badRealm(endpoint, 'has a link-local address');
  if (url.username !== '' || url.password !== '') throw badRealm(endpoint, 'has credentials in its URL');
  if (endpoint.base.protocol === 'https:' && url.protocol === 'http:' && !overHttp)
    throw badRealm(endpoint, 'is not https');
  url.hash = '';
  return url;
}

function badRealm({ registry }: Endpoint, problem: string): LayerpullError {
  return new LayerpullError('registry_protocol', `${registry} names a token service that ${problem}`, {
    hint: 'such a service is not asked; the registry is set up wrongly',
  });
}

function queryUrl(realm: URL, { service, scope, credential, offline }: TokenRequest): URL {
  const url = new URL(realm);
  if (service.service !== undefined) url.searchParams.set('service', service.service);
  if (scope !== undefined) url.searchParams.set('scope', scope);
  if (offline) {
    url.searchParams.set('offline_token', 'true');
    url.searchParams.set('client_id', clientId);
  }
  if (credential?.username) url.searchParams.set('account', credential.username);
  return url;
}

/** A redirect is an answer like another: what is in the body goes to the realm and nowhere else. */
async function post(
  transport: Transport,
  url: URL,
  { service, scope }: TokenRequest,
  { token }: IdentityCredential,
  signal: AbortSignal,
): Promise<FollowedResponse> {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: token,
  });
  if (service.service !== undefined) form.set('service', service.service);
  if (scope !== undefined) form.set('scope', scope);
  const request: HttpRequest = {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    isForeign: true,
    signal,
  };
  return { ...(await transport.send(request)), url };
}

const replySchema = v.object({
  token: v.nullish(v.string()),
  access_token: v.nullish(v.string()),
  refresh_token: v.nullish(v.string()),
  expires_in: v.nullish(v.number()),
});

async function readReply(
  request: TokenRequest,
  response: FollowedResponse,
  signal: AbortSignal,
): Promise<TokenReply> {
  const { url, body } = response;
  if (response.status !== 200) throw await refusal(request, response);
  const bytes = await readWhole(body, maxReplyBytes, () => badReply(url)).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error instanceof LayerpullError ? error : unreachable(url, error);
  });
  const reply = v.safeParse(replySchema, parseJson(bytes));
  const token = reply.success ? reply.output.token || reply.output.access_token : undefined;
  // Anything else could not stand in a header.
  if (!reply.success || !token || !/^[\x21-\x7e]+$/.test(token)) throw badReply(url);
  const { expires_in: expiresIn, refresh_token: identity } = reply.output;
  return { token, lifetimeS: Math.max(leastLifetimeS, expiresIn ?? 0), identity: identity || undefined };
}

/** OAuth2 services say 400 where the credentials are wrong (RFC 6749, section 5.2); the others say 401 or 403. */
async function refusal(request: TokenRequest, response: FollowedResponse): Promise<LayerpullError> {
  const { name, endpoint, credential } = request;
  const status = credential && response.status === 400 ? 401 : response.status;
  const account = { registry: endpoint.registry, from: credential?.from };
  return await statusError({ kind: 'token', name }, response.url, { ...response, status, account });
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
