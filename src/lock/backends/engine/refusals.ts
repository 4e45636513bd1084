import { LayerpullError } from '../../../core/errors.ts';
import type { UnknownSession } from '../../machine/commands.ts';

/** The reply of a session that is open. @throws LayerpullError `session_unknown` */
export function known<T extends { readonly kind: string } | undefined>(
  reply: T | UnknownSession,
): Exclude<T, UnknownSession> {
  if (reply?.kind === 'unknown-session') {
    throw new LayerpullError('session_unknown', 'the lock server does not know this session', {
      hint: 'open it again under its id',
    });
  }
  return reply as Exclude<T, UnknownSession>;
}

export function full(sessions: number): LayerpullError {
  return new LayerpullError('lock_unreachable', `${sessions} sessions are open already`, {
    hint: 'try again later',
  });
}

export function closed(): LayerpullError {
  return new LayerpullError('lock_unreachable', 'the lock service was closed', {
    hint: 'ask again once it runs',
  });
}
