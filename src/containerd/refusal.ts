import { type ErrorCode, errorTable, exitCodes, isLayerpullError, messageOf } from '../core/errors.ts';

/** gRPC's status codes, as far as the content service answers them. */
export const statusCodes = {
  cancelled: 1,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export type StatusName = keyof typeof statusCodes;

/** An answer that is no success. containerd asks again for ever where it is `unavailable`, and never else. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: StatusName;

  constructor(status: StatusName, message: string) {
    super(message);
    this.status = status;
  }
}

export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
}

/** Any thrown value as an answer. */
export function toFailure(error: unknown): GrpcFailure {
  return { code: statusCodes[statusOf(error)], details: textOf(error) };
}

export function statusOf(error: unknown): StatusName {
  if (error instanceof Refusal) return error.status;
  return isLayerpullError(error) ? statusOfCode(error.code) : 'internal';
}

function textOf(error: unknown): string {
  const hint = isLayerpullError(error) && error.hint ? ` (${error.hint})` : '';
  return `${messageOf(error)}${hint}`;
}

/** Never `unavailable`: what failed for a reason of its own is to be seen, and not tried for ever. */
function statusOfCode(code: ErrorCode): StatusName {
  if (code === 'store_full') return 'resourceExhausted';
  switch (errorTable[code].exitCode) {
    case exitCodes.usage:
      return 'invalidArgument';
    case exitCodes.notFound:
      return 'notFound';
    case exitCodes.accessDenied:
      return 'permissionDenied';
    case exitCodes.wrongContent:
      return 'failedPrecondition';
    case exitCodes.interrupted:
    case exitCodes.terminated:
      return 'cancelled';
    default:
      return 'internal';
  }
}
