/** Exit codes of the command line; `docs/errors.md` is tested against this table. */
export const exitCodes = {
  unexpected: 1,
  usage: 2,
  notFound: 3,
  accessDenied: 4,
  unavailable: 5,
  wrongContent: 6,
  coordination: 7,
  storage: 8,
  interrupted: 130,
  closedPipe: 141,
  terminated: 143,
} as const;

interface ErrorKind {
  readonly exitCode: number;
  /** Whether the same request may succeed later without any change. */
  readonly retryable: boolean;
}

/** Every error a user can meet: its stable code, exit code, and whether trying again can help. */
export const errorTable = {
  unexpected: { exitCode: exitCodes.unexpected, retryable: false },

  usage: { exitCode: exitCodes.usage, retryable: false },
  invalid_reference: { exitCode: exitCodes.usage, retryable: false },
  invalid_digest: { exitCode: exitCodes.usage, retryable: false },
  invalid_platform: { exitCode: exitCodes.usage, retryable: false },
  ambiguous_digest: { exitCode: exitCodes.usage, retryable: false },
  address_in_use: { exitCode: exitCodes.usage, retryable: false },

  image_not_found: { exitCode: exitCodes.notFound, retryable: false },
  blob_not_found: { exitCode: exitCodes.notFound, retryable: false },
  platform_not_found: { exitCode: exitCodes.notFound, retryable: false },
  resource_not_found: { exitCode: exitCodes.notFound, retryable: false },

  access_denied: { exitCode: exitCodes.accessDenied, retryable: false },
  credentials_unusable: { exitCode: exitCodes.accessDenied, retryable: false },
  /** By the lock server: a token or a certificate is missing there or not accepted. */
  lock_denied: { exitCode: exitCodes.accessDenied, retryable: false },

  /** By etcd, behind a lock server. */
  etcd_denied: { exitCode: exitCodes.accessDenied, retryable: false },

  registry_unreachable: { exitCode: exitCodes.unavailable, retryable: true },
  registry_failed: { exitCode: exitCodes.unavailable, retryable: true },
  registry_stalled: { exitCode: exitCodes.unavailable, retryable: true },
  registry_protocol: { exitCode: exitCodes.unavailable, retryable: false },
  rate_limited: { exitCode: exitCodes.unavailable, retryable: true },
  /** Other nodes gave nothing: a warning, for the pull goes on. */
  peers_unusable: { exitCode: exitCodes.unavailable, retryable: true },
  etcd_unreachable: { exitCode: exitCodes.unavailable, retryable: true },
  timed_out: { exitCode: exitCodes.unavailable, retryable: true },

  digest_mismatch: { exitCode: exitCodes.wrongContent, retryable: true },
  size_mismatch: { exitCode: exitCodes.wrongContent, retryable: true },
  /** The content failed for several nodes: the lock server answers for a minute. */
  content_refused: { exitCode: exitCodes.wrongContent, retryable: true },
  invalid_manifest: { exitCode: exitCodes.wrongContent, retryable: false },
  unsupported_manifest: { exitCode: exitCodes.wrongContent, retryable: false },

  lock_unreachable: { exitCode: exitCodes.coordination, retryable: true },
  lock_refused: { exitCode: exitCodes.coordination, retryable: false },
  lock_protocol: { exitCode: exitCodes.coordination, retryable: false },
  etcd_failed: { exitCode: exitCodes.coordination, retryable: false },
  session_unknown: { exitCode: exitCodes.coordination, retryable: true },
  lock_lost: { exitCode: exitCodes.coordination, retryable: true },
  holder_slow: { exitCode: exitCodes.coordination, retryable: true },
  /** Other lock servers of the same etcd and prefix run with other bounds, or by the rules of another version. */
  cluster_mismatch: { exitCode: exitCodes.coordination, retryable: false },

  /** Others cannot read from this node: a warning, for the pull goes on. */
  share_failed: { exitCode: exitCodes.coordination, retryable: true },

  store_unusable: { exitCode: exitCodes.storage, retryable: false },
  store_full: { exitCode: exitCodes.storage, retryable: false },
  store_failed: { exitCode: exitCodes.storage, retryable: true },
  /** containerd would not find, behind the content plugin, what its built-in store has. */
  content_not_imported: { exitCode: exitCodes.storage, retryable: false },

  output_failed: { exitCode: exitCodes.storage, retryable: false },

  data_in_use: { exitCode: exitCodes.storage, retryable: false },
  data_unusable: { exitCode: exitCodes.storage, retryable: false },
  data_failed: { exitCode: exitCodes.storage, retryable: false },

  interrupted: { exitCode: exitCodes.interrupted, retryable: true },
  output_closed: { exitCode: exitCodes.closedPipe, retryable: true },
  terminated: { exitCode: exitCodes.terminated, retryable: true },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorTable;

/** Which side failed. */
export type ErrorOrigin = 'user' | 'registry' | 'peer' | 'store' | 'lock' | 'layerpull';

export interface ErrorDetails {
  /** What the user can do about it: half a sentence, no full stop. */
  readonly hint?: string;
  readonly origin?: ErrorOrigin;
  readonly retryable?: boolean;
  /** Milliseconds that the server asked to wait before the next try. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/**
 * The one error type of the project. `message` says what failed and on what, in one line and without secrets;
 * `hint` what to do about it.
 */
export class LayerpullError extends Error {
  override readonly name = 'LayerpullError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly origin: ErrorOrigin;
  readonly retryable: boolean;
  /** Milliseconds that the server asked to wait before the next try, if it did. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.origin = details.origin ?? originOf(code);
    this.retryable = details.retryable ?? errorTable[code].retryable;
    this.retryAfterMs = details.retryAfterMs;
  }

  get exitCode(): number {
    return errorTable[this.code].exitCode;
  }
}

export function isLayerpullError(value: unknown): value is LayerpullError {
  return value instanceof LayerpullError;
}

/** Any thrown value as a LayerpullError; what nobody foresaw becomes `unexpected`. */
export function toLayerpullError(value: unknown): LayerpullError {
  if (isLayerpullError(value)) return value;
  return new LayerpullError('unexpected', messageOf(value), { cause: value });
}

/** The message of any thrown value, on one line. */
export function messageOf(value: unknown): string {
  const text = value instanceof Error ? value.message || value.name : String(value);
  return text.replace(/\s+/g, ' ').trim();
}

/** The `code` of a system error (`ENOSPC`, `ECONNREFUSED` …), wherever in the chain of causes it stands. */
export function systemCodeOf(value: unknown): string | undefined {
  for (let error = value, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth += 1) {
    if ('code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code))
      return error.code;
  }
  return undefined;
}

function originOf(code: ErrorCode): ErrorOrigin {
  if (code === 'lock_denied' || code.startsWith('etcd_')) return 'lock';
  switch (errorTable[code].exitCode) {
    case exitCodes.usage:
    case exitCodes.interrupted:
    case exitCodes.closedPipe:
    case exitCodes.terminated:
      return 'user';
    case exitCodes.coordination:
      return 'lock';
    case exitCodes.storage:
      return 'store';
    case exitCodes.unexpected:
      return 'layerpull';
    default:
      return 'registry';
  }
}
