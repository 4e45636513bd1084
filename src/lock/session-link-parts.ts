import type { Clock } from '../core/clock.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import type { Locks, OpenSession, SessionEvent, SessionSnapshot } from './locks.ts';
import type { Asked } from './session-book.ts';
import type { LinkBounds } from './session-bounds.ts';
import type { SessionShare } from './session-share.ts';

export interface LinkParts {
  readonly locks: Locks;
  readonly open: OpenSession & { readonly sessionId: NonNullable<OpenSession['sessionId']> };
  readonly clock: Clock;
  readonly bounds: LinkBounds;
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

/** The server said nothing for `ms` milliseconds. */
export function silence(ms: number): LayerpullError {
  return new LayerpullError('lock_unreachable', `the lock server did not answer within ${ms / 1_000} s`, {
    hint: 'see whether it runs and can be reached from here',
  });
}

export function isUnknownSession(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'session_unknown';
}
