import { type ErrorCode, isLayerpullError, type LayerpullError, systemCodeOf } from '../core/errors.ts';
import type { Caller } from './mirror-port.ts';

/** An answer without content (distribution-spec, "Error Codes"). */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly errors: readonly [{ readonly code: string; readonly message: string }] };
}

/** Says that credentials may change the answer. Clients that have some for the mirror send them then. */
export const challenge = 'Basic realm="layerpull"';

type Known = readonly [status: number, code: string];

const statuses: Partial<Record<ErrorCode, Known>> = {
  invalid_reference: [400, 'NAME_INVALID'],
  invalid_digest: [400, 'DIGEST_INVALID'],
  image_not_found: [404, 'MANIFEST_UNKNOWN'],
  blob_not_found: [404, 'BLOB_UNKNOWN'],
  // The registry itself can give what is not taken here.
  unsupported_manifest: [404, 'MANIFEST_UNKNOWN'],
  rate_limited: [429, 'TOOMANYREQUESTS'],
  registry_unreachable: [502, 'UNAVAILABLE'],
  registry_failed: [502, 'UNAVAILABLE'],
  registry_protocol: [502, 'UNAVAILABLE'],
  registry_stalled: [504, 'UNAVAILABLE'],
  timed_out: [504, 'UNAVAILABLE'],
  digest_mismatch: [502, 'UNAVAILABLE'],
  size_mismatch: [502, 'UNAVAILABLE'],
  content_refused: [502, 'UNAVAILABLE'],
  invalid_manifest: [502, 'UNAVAILABLE'],
  credentials_unusable: [502, 'UNAVAILABLE'],
};

/** Any thrown value as an answer. Clients take each of them as a reason to ask the registry itself. */
export function refusalOf(error: unknown, caller: Caller): Refusal {
  if (!isLayerpullError(error)) return refusal(500, 'UNKNOWN', 'the mirror met an unexpected error');
  if (error.code === 'access_denied') return denied(error, caller);
  if (isUnknownHost(error)) return refusal(404, 'NAME_UNKNOWN', error.message);
  const [status, code] = statuses[error.code] ?? [error.origin === 'store' ? 503 : 500, 'UNAVAILABLE'];
  const { retryAfterMs } = error;
  const headers = retryAfterMs === undefined ? {} : { 'retry-after': `${Math.ceil(retryAfterMs / 1_000)}` };
  return refusal(status, code, error.message, headers);
}

/** Whoever showed nothing may have something to show; whoever was refused would be refused again. */
function denied({ message, origin }: LayerpullError, { authorization }: Caller): Refusal {
  if (authorization !== undefined || origin === 'user') return refusal(403, 'DENIED', message);
  return refusal(401, 'UNAUTHORIZED', message, { 'www-authenticate': challenge });
}

/** No name server knows it: it is no registry. */
function isUnknownHost(error: LayerpullError): boolean {
  return error.code === 'registry_unreachable' && systemCodeOf(error) === 'ENOTFOUND';
}

export function refusal(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  return { status, headers, body: { errors: [{ code, message }] } };
}
