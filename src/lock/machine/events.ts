import type { Digest } from '../../core/digest.ts';
import type { SessionId, Token } from '../../core/ids.ts';
import type { HolderView, OperationType, ResourceEvent, SessionEvent } from '../locks.ts';
import type { Change } from './changes.ts';
import { type Claimant, defaultDomain, type Ending, type Lock } from './state.ts';

interface LockPlace {
  readonly resourceId: Digest;
  readonly domain: string;
}

/** What a step tells: one session, those who listen to a resource, or the log. */
export type MachineEvent =
  | { readonly kind: 'session'; readonly sessionId: SessionId; readonly event: SessionEvent }
  /** The session is gone: its streams end. */
  | { readonly kind: 'session-ended'; readonly sessionId: SessionId }
  | ({ readonly kind: 'resource' } & ResourceNews)
  /** Positions in this queue, or the holder in front of it, changed. */
  | ({ readonly kind: 'moved' } & LockPlace)
  | ({ readonly kind: 'log'; readonly what: LogWhat; readonly who: HolderView } & LockPlace & LogFields);

/** `endedMs` in the time of the machine: whoever hands the event on knows what that is in wall time. */
export interface ResourceNews {
  readonly event: ResourceEvent;
  readonly endedMs?: number;
}

export type LogWhat =
  | 'granted'
  | 'queued'
  | 'skipped'
  | 'released'
  | 'declined'
  | 'reclaimed'
  | 'refused'
  /** The lock of another domain, `from`, is this one from here on, under the same token. */
  | 'moved'
  /** A node has more copies than are kept track of. */
  | 'overfull';

export interface LogFields {
  readonly type: OperationType;
  readonly token?: Token;
  readonly position?: number;
  readonly success?: boolean;
  readonly error?: string;
  readonly reason?: string;
  readonly from?: string;
  readonly heldMs?: number;
  readonly waitedMs?: number;
}

/** One step under way: the time, and where its effects are collected. */
export interface Step {
  readonly nowMs: number;
  readonly events: MachineEvent[];
  /** Locks whose waiters have another position or another holder in front of them than before. */
  readonly moved: Set<Lock>;
  readonly changes: Change[];
}

/** Keeps a union a union. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An event about this lock and this claimant's type. */
type ClaimEvent = Without<Extract<SessionEvent, { readonly resourceId: Digest }>, 'type' | 'resourceId'>;

/** Tells the session of a claimant; one without a session has none to tell. */
export function tellClaimant(
  { resourceId }: Pick<Lock, 'resourceId'>,
  { sessionId, type }: Pick<Claimant, 'sessionId' | 'type'>,
  event: ClaimEvent,
  step: Step,
): void {
  if (!sessionId) return;
  step.events.push({ kind: 'session', sessionId, event: { ...event, type, resourceId } });
}

/** Tells older clients that listen how an operation ended. */
export function tellEnding(lock: Lock, { type, nodeId }: Claimant, ending: Ending, step: Step): void {
  const { success, error, atMs } = ending;
  tellListeners(lock, { event: { ...about(lock, type), nodeId, success, error }, endedMs: atMs }, step);
}

/** Calls an older client that listens to ask again: it knows such an event by its own name and no success. */
export function callListener(lock: Lock, { type, nodeId }: Claimant, step: Step): void {
  tellListeners(lock, { event: { ...about(lock, type), nodeId, success: false, error: '' } }, step);
}

function about({ resourceId }: Lock, type: OperationType) {
  return { type, resourceId };
}

function tellListeners({ domain }: Lock, news: ResourceNews, step: Step): void {
  if (domain === defaultDomain) step.events.push({ kind: 'resource', ...news });
}

export function tellLog(
  { resourceId, domain }: Lock,
  what: LogWhat,
  who: Claimant,
  fields: Omit<LogFields, 'type'>,
  step: Step,
): void {
  step.events.push({ kind: 'log', what, who: viewOf(who), type: who.type, resourceId, domain, ...fields });
}

export function viewOf({ nodeId, sessionId }: Pick<Claimant, 'nodeId' | 'sessionId'>): HolderView {
  return { nodeId, ...(sessionId === undefined ? {} : { sessionId }) };
}
