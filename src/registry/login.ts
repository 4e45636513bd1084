import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import { type FollowedResponse, sendFollowing } from '../http/redirects.ts';
import { asksForPassword, findTokenService, type TokenService } from './challenge.ts';
import { basicHeader, type PasswordCredential, type SecretOfUser } from './credentials/credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { statusError, unreachable } from './failures.ts';
import { requestToken, type TokenReply } from './token-service.ts';
import type { Transport } from './transport.ts';

export interface LoginParts {
  readonly transport: Transport;
  readonly clock: Clock;
}

const answerWithinMs = 60_000;

/**
 * Shows a password to a registry as docker's login does: at `/v2/`, directly or by the token service that it names.
 *
 * @returns what to keep: the password, or the identity token that the service gave for it
 * @throws LayerpullError `access_denied`, and those of an unreachable or strange registry
 */
export async function checkLogin(
  { transport, clock }: LoginParts,
  endpoint: Endpoint,
  credential: PasswordCredential,
  signal: AbortSignal,
): Promise<SecretOfUser> {
  const late = () => unreachable(endpoint.base, new Error(`no answer within ${answerWithinMs / 1_000} s`));
  try {
    return await withDeadline(clock, answerWithinMs, signal, late, (within) =>
      check(transport, endpoint, credential, within),
    );
  } catch (error) {
    throw isLayerpullError(error) && error.code === 'access_denied' ? refused(error) : error;
  }
}

async function check(
  transport: Transport,
  endpoint: Endpoint,
  credential: PasswordCredential,
  signal: AbortSignal,
): Promise<SecretOfUser> {
  const ping = (headers: Record<string, string>) =>
    sendFollowing(transport, { method: 'GET', url: new URL('/v2/', endpoint.base), headers, signal });
  const open = await ping({});
  // What another host says may not lead us anywhere.
  const own = open.url.origin === endpoint.base.origin;
  const challenges = own && open.status === 401 ? open.headers['www-authenticate'] : undefined;
  const service = findTokenService(challenges);
  if (service) {
    await open.discard();
    const reply = await askService(transport, endpoint, service, credential, signal);
    await accept(endpoint, await ping({ authorization: `Bearer ${reply.token}` }));
    return keptOf(credential, reply);
  }
  if (!asksForPassword(challenges)) {
    await accept(endpoint, open);
    return credential;
  }
  await open.discard();
  await accept(
    endpoint,
    await ping({ authorization: basicHeader(credential.username, credential.password) }),
  );
  return credential;
}

async function askService(
  transport: Transport,
  endpoint: Endpoint,
  service: TokenService,
  credential: PasswordCredential,
  signal: AbortSignal,
): Promise<TokenReply> {
  const request = { endpoint, service, scope: undefined, name: endpoint.registry, credential, offline: true };
  return await requestToken(transport, request, signal);
}

function keptOf(credential: PasswordCredential, { identity }: TokenReply): SecretOfUser {
  const { username, from } = credential;
  return identity === undefined ? credential : { kind: 'identity', username, token: identity, from };
}

async function accept({ registry }: Endpoint, response: FollowedResponse): Promise<void> {
  if (response.status !== 200) {
    throw await statusError({ kind: 'token', name: registry }, response.url, response);
  }
  await response.discard();
}

function refused(error: LayerpullError): LayerpullError {
  return new LayerpullError('access_denied', error.message, {
    hint: 'look at the user name and the password; with two factors many registries want an access token instead',
    cause: error,
  });
}
