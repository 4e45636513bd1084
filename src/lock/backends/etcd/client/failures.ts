import { type ServiceError, status } from '@grpc/grpc-js';
import { LayerpullError } from '../../../../core/errors.ts';
import { transportProblem } from '../../../../http/transport.ts';
import { EtcdCompacted } from './etcd.ts';

/** Why a call to a member brought no reply. */
export type Failure =
  /** Surely nothing was done: another member may do it. */
  | { readonly kind: 'refused'; readonly problem: string; readonly isSilent: boolean }
  /** It may have been done. */
  | { readonly kind: 'unknown'; readonly problem: string; readonly isSilent: boolean }
  /** Nothing was done: the token is not accepted any more. */
  | { readonly kind: 'stale-token'; readonly problem: string }
  /** Every member says the same. */
  | { readonly kind: 'final'; readonly error: Error };

/** Nothing came in time. */
export class Silence extends Error {
  constructor(ms: number) {
    super(`no reply within ${ms / 1_000} s`);
    this.name = 'Silence';
  }
}

/** It came to no call: no connection was made, or no token had. */
export class NotSent extends Error {
  readonly isSilent: boolean;

  constructor(problem: string, isSilent: boolean) {
    super(problem);
    this.name = 'NotSent';
    this.isSilent = isSilent;
  }
}

/** Of whom and for whom an error speaks. */
export interface Asked {
  /** `HOST:PORT` */
  readonly address: string;
  readonly userName: string | undefined;
  readonly prefix: string;
}

/** etcd says these before it does anything. */
const refusals =
  /no leader|too many requests|not capable|not supported for learner|raft proposal dropped|not leader/;
const staleTokens = /invalid auth token|revision of auth store is old|revision in header is old/;
const denials =
  /permission denied|user name is empty|authentication failed|invalid auth|auth store is old|in header is old/;

/** Where what happened can only be guessed. */
const unsettled: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.ABORTED,
  status.INTERNAL,
  status.UNKNOWN,
]);

/** @throws what is no failure of a call, such as the reason of a signal */
export function failureOf(error: unknown, asked: Asked): Failure {
  if (error instanceof NotSent) return { kind: 'refused', problem: error.message, isSilent: error.isSilent };
  if (error instanceof Silence) return { kind: 'unknown', problem: error.message, isSilent: true };
  if (!isServiceError(error)) throw error;
  const problem = problemOf(error);
  if (isNoEtcd(error)) return { kind: 'refused', problem, isSilent: false };
  if (refusals.test(problem)) return { kind: 'refused', problem, isSilent: false };
  if (isStale(problem, asked)) return { kind: 'stale-token', problem };
  if (denials.test(problem)) return { kind: 'final', error: deniedError(asked, problem) };
  if (unsettled.has(error.code)) return { kind: 'unknown', problem, isSilent: false };
  return { kind: 'final', error: finalError(error, problem, asked) };
}

/** Something else listens there, which speaks for no other member. A proxy that lost its etcd is not meant. */
function isNoEtcd({ code, details }: ServiceError): boolean {
  if (code === status.UNIMPLEMENTED) return true;
  return !unsettled.has(code) && details.startsWith('Received HTTP status code');
}

/** Before authentication was switched on, nobody needed a token. */
function isStale(problem: string, { userName }: Asked): boolean {
  return staleTokens.test(problem) || (userName !== undefined && problem.includes('user name is empty'));
}

function finalError(cause: ServiceError, problem: string, asked: Asked): Error {
  const { code } = cause;
  if (problem.includes('has been compacted')) return new EtcdCompacted();
  if (code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED)
    return deniedError(asked, problem);
  const hint = hintOfFailure(problem);
  return new LayerpullError('etcd_failed', `etcd at ${asked.address} refused a request: ${problem}`, {
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

function hintOfFailure(problem: string): string | undefined {
  if (problem.includes('space exceeded')) {
    return 'its database is full: run "etcdctl compact" with a recent revision, "etcdctl defrag --cluster", then "etcdctl alarm disarm"';
  }
  if (problem.includes('corrupt')) return 'compare its members with "etcdctl endpoint hashkv --cluster"';
  if (/too large|larger than max/.test(problem)) return 'see --max-request-bytes of etcd';
  return undefined;
}

export function deniedError({ address, userName, prefix }: Asked, problem: string): LayerpullError {
  if (userName === undefined) {
    return new LayerpullError('etcd_denied', `etcd at ${address} asks who we are: ${problem}`, {
      hint: 'give --etcd-user and --etcd-password-file, or --etcd-cert and --etcd-key',
    });
  }
  const hint = problem.includes('authentication failed')
    ? 'check the name of the user and its password'
    : `give a role of this user the permission: etcdctl role grant-permission ROLE --prefix=true readwrite ${prefix}`;
  return new LayerpullError('etcd_denied', `etcd at ${address} refuses user "${userName}": ${problem}`, {
    hint,
  });
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}

/** Whether a reply was larger than what is received here. */
export function isTooLong(error: unknown): boolean {
  return (
    isServiceError(error) && error.code === status.RESOURCE_EXHAUSTED && /larger than max/.test(error.details)
  );
}

/** What went wrong, in a few words. */
export function problemOf({ code, details }: ServiceError): string {
  const [, last] =
    /^No connection established\. Last error: ([\s\S]*)\. Resolution note: /.exec(details) ?? [];
  if (last !== undefined) return connectProblem(last);
  if (details.startsWith('Name resolution failed')) return 'host not found';
  return details.replace(/^etcdserver: /, '') || `status ${status[code]}`;
}

function connectProblem(text: string): string {
  const message = text.replace(/^Error(?: \[\w+\])?: /, '').replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, '');
  if (/^(Failed to connect$|Client network socket disconnected)/.test(message)) return 'connection closed';
  const [code] = /\bE[A-Z]{3,}\b/.exec(message) ?? [];
  return transportProblem(Object.assign(new Error(message), code === undefined ? {} : { code }));
}
