import * as v from 'valibot';
import { LayerpullError } from '../core/errors.ts';
import type { HttpResponse } from '../http/client.ts';
import { readBeginning } from '../http/limits.ts';
import { readRetryAfter } from '../http/retry-after.ts';
import { ownCodeOf } from '../http/tls-problems.ts';
import { transportProblem } from '../http/transport.ts';
import { adviceFor, howToShowCertificate, howToSpeakHttps } from './connection-advice.ts';
import { type Account, deniedHint } from './denied.ts';

/** What was asked for, in the words of its error messages. */
export interface Subject {
  readonly kind: 'manifest' | 'blob' | 'token';
  /** `docker.io/library/busybox:latest`, `sha256:… of docker.io/library/busybox` */
  readonly name: string;
}

const maxErrorBytes = 65_536;
const longestSaying = 200;

/** The error for a registry that could not be reached, or whose connection broke. */
export function unreachable(url: URL, cause: unknown): LayerpullError {
  if (ownCodeOf(cause) === 'UND_ERR_HEADERS_OVERFLOW') return endlessHeaders(url, cause);
  const problem = `cannot reach ${url.host}: ${oneLine(transportProblem(cause))}`;
  return new LayerpullError('registry_unreachable', problem, { ...adviceFor(url, cause), cause });
}

function endlessHeaders(url: URL, cause: unknown): LayerpullError {
  return new LayerpullError('registry_protocol', `${url.host} sends more headers than are read`, {
    hint: 'is this address a registry?',
    cause,
  });
}

/** The storage that the registry sent us to may refuse a signed address that has grown old. A new one may be good. */
const expired: ReadonlySet<number> = new Set([400, 403, 410]);

/** Like `statusError`, for what a redirect of the registry led to: asking the registry again gives another address. */
export async function redirectedError(
  subject: Subject,
  url: URL,
  response: Pick<HttpResponse, 'status' | 'headers' | 'body'>,
): Promise<LayerpullError> {
  const { status } = response;
  const error = await statusError(subject, url, response);
  if (!expired.has(status)) return error;
  const message = `${url.host}, where the registry keeps ${subject.name}, answered with status ${status}`;
  return new LayerpullError('registry_failed', message, {
    hint: 'the address that the registry gave has expired, or its storage is set up wrongly',
  });
}

/** The error for a blob that ended early; whoever stores it goes on from there. */
export function cutShort(url: URL, reason: string, position: number, size: number): LayerpullError {
  const message = `${url.host}: ${oneLine(reason)} after ${position} of ${size} bytes`;
  return new LayerpullError('registry_failed', message, {
    hint: 'the registry has a problem, or the network; try again later',
  });
}

/** Reads what the registry says about a status that is no success, frees the response, and makes the error of it. */
export async function statusError(
  subject: Subject,
  url: URL,
  response: Pick<HttpResponse, 'status' | 'headers' | 'body'> & { readonly account?: Account },
): Promise<LayerpullError> {
  const body = await readBeginning(response.body, maxErrorBytes);
  const said = whatItSays(body, response.headers['content-type'] ?? '');
  const { status } = response;
  const retryAfterMs = readRetryAfter(response.headers);
  const spoken = status === 400 ? spokenWrongly(url, body) : undefined;
  if (spoken) return spoken;
  if (status === 404) return notFound(subject, url, said);
  if (status === 401 || status === 403) return denied(subject, url, said, response.account);
  if (status === 429) {
    const hint = 'wait a while; registries allow fewer pulls to those who are not signed in';
    return new LayerpullError('rate_limited', `${url.host} limits the rate of requests${colon(said)}`, {
      hint,
      retryAfterMs,
    });
  }
  if (status >= 500 || status === 408) return failed(url, status, said, retryAfterMs);
  return unexpected(url, status, said);
}

function notFound(subject: Subject, url: URL, said: string): LayerpullError {
  if (subject.kind === 'blob') {
    return new LayerpullError('blob_not_found', `${url.host} does not have blob ${subject.name}`, {
      hint: 'the image is incomplete in the registry; push it again',
    });
  }
  if (subject.kind === 'token') return unexpected(url, 404, said);
  return new LayerpullError('image_not_found', `${subject.name} was not found at ${url.host}${colon(said)}`, {
    hint: 'look at the name and the tag',
  });
}

function denied(subject: Subject, url: URL, said: string, account: Account | undefined): LayerpullError {
  return new LayerpullError('access_denied', `${url.host} denies access to ${subject.name}${colon(said)}`, {
    hint: deniedHint(url, account),
  });
}

/** As other clients have it: what else begins with 5 (501, 505 …) stays as it is. */
const passing: ReadonlySet<number> = new Set([408, 500, 502, 503, 504]);

function failed(url: URL, status: number, said: string, retryAfterMs: number | undefined): LayerpullError {
  return new LayerpullError('registry_failed', `${url.host} failed with status ${status}${colon(said)}`, {
    hint: 'the registry has a problem; try again later',
    retryable: passing.has(status),
    retryAfterMs,
  });
}

function unexpected(url: URL, status: number, said: string): LayerpullError {
  return new LayerpullError('registry_protocol', `${url.host} answered with status ${status}${colon(said)}`, {
    hint: 'is this address a registry?',
  });
}

/** What Go, nginx and others answer with status 400 to http on a port for https, and to a client without certificate. */
function spokenWrongly(url: URL, body: Buffer): LayerpullError | undefined {
  const text = body.toString('latin1', 0, 4_096);
  if (url.protocol === 'http:' && /\bHTTPS (server|port|request)/i.test(text)) {
    return new LayerpullError('registry_protocol', `${url.host} speaks https and was spoken to in http`, {
      hint: howToSpeakHttps(url),
    });
  }
  if (url.protocol === 'https:' && /\bSSL certificate\b/i.test(text)) {
    return new LayerpullError(
      'registry_protocol',
      `${url.host} wants a certificate of the client that it knows`,
      {
        hint: howToShowCertificate(url),
      },
    );
  }
  return undefined;
}

const errorBody = v.object({
  errors: v.array(v.object({ code: v.string(), message: v.optional(v.string()) })),
});

/** The message of an OCI error body (distribution-spec, "Error Codes"), or a short plain text; else nothing. */
function whatItSays(body: Buffer, contentType: string): string {
  const parsed = v.safeParse(errorBody, parseJson(body));
  const first = parsed.success ? parsed.output.errors[0] : undefined;
  if (first) return oneLine(first.message || first.code);
  return /^text\/plain/i.test(contentType) ? oneLine(body.toString('utf8', 0, 4 * longestSaying)) : '';
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

/** Text from the network for one line of a terminal: no control characters, no credentials, not long. */
export function oneLine(text: string): string {
  const line = text
    .slice(0, 4 * longestSaying)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .replace(/\b(bearer|basic)\s+\S+/gi, '$1 …')
    .trim();
  return line.length > longestSaying ? `${line.slice(0, longestSaying)}…` : line;
}

function colon(said: string): string {
  return said === '' ? '' : `: ${said}`;
}
