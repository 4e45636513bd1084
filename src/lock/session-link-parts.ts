import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import type { Locks, OpenSession, SessionEvent, SessionInfo, SessionSnapshot } from './locks.ts';
import type { Asked } from './session-book.ts';
import type { LinkBounds } from './session-bounds.ts';
import type { SessionShare } from './session-share.ts';

export interface LinkParts {
  readonly locks: Locks;
  readonly open: OpenSession & { readonly sessionId: NonNullable<OpenSession['sessionId']> };
  readonly clock: Clock;
  readonly bounds: LinkBounds;
  readonly silence: Silence;
  /** Random number in [0, 1). */
  readonly random: () => number;
  /** How the session sees things now. */
  readonly asked: () => Asked;
  /** An event of the stream that was opened when things were as `asked` says. */
  readonly onEvent: (event: SessionEvent, asked: Asked) => void;
  /** How the server sees this session's places. */
  readonly onSnapshot: (snapshot: SessionSnapshot, asked: Asked) => void;
  /** The answer to a heartbeat that listed what `asked` says is held. */
  readonly onHeldAnswer: (snapshot: SessionSnapshot, asked: Asked) => void;
  /** The server had forgotten the session and has taken it up again: places must be asked for once more. */
  readonly onReopened: () => Promise<void>;
  /** Contact failed for as long as the bounds allow; told once until contact is made again. */
  readonly onLost: (error: LayerpullError) => void;
  /** What heartbeats tell beside the locks. */
  readonly share: SessionShare;
}

/** The error for a server that said nothing for `ms` milliseconds. */
export type Silence = (ms: number) => LayerpullError;

/** @param name of that server in messages */
export function silenceOf(name = 'the lock server'): Silence {
  const details = { hint: 'see what runs there, and whether it can be reached from here' };
  return (ms) =>
    new LayerpullError(
      'lock_unreachable',
      `${name} did not answer within ${Math.max(1, Math.round(ms / 100)) / 10} s`,
      details,
    );
}

/** Opens the session. @throws what the server said last when the bound is over, or that it said nothing */
export async function firstContact(parts: LinkParts, closed: AbortSignal): Promise<SessionInfo> {
  closed.throwIfAborted();
  const { locks, open, bounds, clock, silence } = parts;
  let refusal: Error | undefined;
  const onRefusal = (error: Error) => {
    refusal = error;
  };
  const late = () => refusal ?? silence(bounds.firstContactMs);
  const work = (signal: AbortSignal) => locks.openSession(open, signal, onRefusal);
  return await withDeadline(clock, bounds.firstContactMs, closed, late, work);
}

export function isUnknownSession(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'session_unknown';
}
