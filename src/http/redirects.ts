import { LayerpullError } from '../core/errors.ts';
import { isLinkLocal } from './addresses.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './client.ts';

/** A response with the URL that gave it. */
export interface FollowedResponse extends HttpResponse {
  readonly url: URL;
}

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 5;

/**
 * Sends a GET or HEAD and follows redirects by hand: at most five, to http and https only, never from https to http,
 * never to a link-local address, and `Authorization` reaches no other host, not even when a later redirect leads back.
 *
 * @throws LayerpullError `registry_protocol` for a redirect that is not followed
 */
export async function sendFollowing(
  client: Pick<HttpClient, 'send'>,
  request: HttpRequest & { readonly method: 'GET' | 'HEAD' },
): Promise<FollowedResponse> {
  let current: HttpRequest = request;
  for (let followed = 0; ; followed += 1) {
    const response = await client.send(current);
    const from = response.url ?? current.url;
    if (!redirectStatuses.has(response.status)) return { ...response, url: from };
    await response.discard();
    if (followed === maxRedirects) throw refused(from, `redirects more than ${maxRedirects} times`);
    const url = nextUrl(from, response.headers['location']);
    const isForeign = current.isForeign === true || url.origin !== from.origin;
    current = { ...current, url, headers: headersFor(from, url, current), isForeign };
  }
}

function nextUrl(from: URL, location: string | undefined): URL {
  if (location === undefined) throw refused(from, 'redirects without saying where to');
  if (!URL.canParse(location, from.href)) throw refused(from, 'redirects to something that is no URL');
  const url = new URL(location, from);
  url.hash = '';
  const problem = redirectProblem(from, url);
  if (problem !== undefined) throw refused(from, problem);
  return url;
}

function redirectProblem(from: URL, to: URL): string | undefined {
  if (to.protocol !== 'http:' && to.protocol !== 'https:') return `redirects to a ${to.protocol} URL`;
  if (from.protocol === 'https:' && to.protocol === 'http:') return `redirects from https to ${to.origin}`;
  if (isLinkLocal(to.hostname)) return `redirects to the link-local address ${to.hostname}`;
  if (to.username !== '' || to.password !== '') return `redirects to ${to.host} with credentials in the URL`;
  return undefined;
}

function headersFor(from: URL, url: URL, { headers = {} }: HttpRequest): Readonly<Record<string, string>> {
  if (url.origin === from.origin) return headers;
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
  );
}

function refused(from: URL, problem: string): LayerpullError {
  return new LayerpullError('registry_protocol', `${from.host} ${problem}`, {
    hint: 'such a redirect is not followed; the registry or something before it is set up wrongly',
  });
}
