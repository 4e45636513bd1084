import { type Token, toToken } from '../../core/ids.ts';
import type { Heartbeat, HeldProgress } from '../locks.ts';
import { identityOf } from './callers.ts';
import type { Replies } from './commands.ts';
import { announce } from './copies.ts';
import { type Step, tellClaimant } from './events.ts';
import { claimHold, install, takeBack } from './grant.ts';
import { leavePlace } from './places.ts';
import { advance, goOnReading } from './readers.ts';
import { hear } from './sessions.ts';
import { type Hold, type Lock, lockFor, type MachineState, placeKey, refile, type Session } from './state.ts';
import { snapshotOf } from './views.ts';

/** A heartbeat claims the grants it lists, brings back locks from before a restart, and hears of lost ones. */
export function renew(
  state: MachineState,
  session: Session,
  heartbeat: Heartbeat,
  step: Step,
): Replies['renew'] {
  hear(session, step);
  session.peer.isDraining = heartbeat.draining ?? session.peer.isDraining;
  if (heartbeat.announce) announce(state, session, heartbeat.announce, step);
  for (const held of heartbeat.held) renewHold(state, session, held, step);
  return { kind: 'snapshot', snapshot: snapshotOf(state, session, step.nowMs) };
}

function renewHold(state: MachineState, session: Session, held: HeldProgress, step: Step): void {
  const lock = lockFor(state, session.domain, held.resourceId);
  const hold = ownHold(lock, session, held) ?? adopt(state, lock, session, held, step);
  if (hold) {
    advance(hold, held.offset, step);
    hold.total = held.total;
    claimHold(state, lock, hold, step);
    return;
  }
  const reason = lock.holder ? `${lock.holder.nodeId} holds the lock now` : 'the lock ended meanwhile';
  const { token, type } = held;
  tellClaimant(lock, { sessionId: session.id, type }, { kind: 'revoked', token, reason }, step);
  refile(state, lock, step.nowMs);
}

function ownHold({ holder }: Lock, { id }: Session, { type, token }: HeldProgress): Hold | undefined {
  const isOwn = holder?.sessionId === id && holder.type === type && holder.token === token;
  return isOwn ? holder : undefined;
}

/** A lock from before a restart: its holder goes on under its token, and new tokens stay above it. */
function adopt(
  state: MachineState,
  lock: Lock,
  session: Session,
  held: HeldProgress,
  step: Step,
): Hold | undefined {
  const { token, type } = held;
  if (!mayAdopt(state, lock, session, held, step)) return undefined;
  if (lock.holder) takeBack(state, lock, lock.holder, `${session.nodeId} holds the lock since`, step);
  state.nextToken = toToken(Math.max(state.nextToken, token + 1));
  state.adoptedTokens.add(token);
  const { id, nodeId } = session;
  const claim = { identity: identityOf(id), nodeId, sessionId: id, type, requestId: undefined };
  const place = lock.queue.get(placeKey(claim));
  if (place) leavePlace(state, place, step);
  const hold = install(state, lock, { ...claim, sinceMs: step.nowMs }, token, true, step);
  goOnReading(state, lock, hold, step.nowMs);
  return hold;
}

/**
 * Only a session that had its id before it came here may bring a lock with it, under a token that is not of this life
 * of the service, and only if the lock was not held in this life, as far as it remembers. While the service recovers all holders came like that: of two
 * the one with the higher token is the later.
 */
function mayAdopt(
  state: MachineState,
  lock: Lock,
  session: Session,
  { token }: HeldProgress,
  { nowMs }: Step,
): boolean {
  if (!session.isReturning || nowMs >= state.adoptUntilMs) return false;
  if (!isFormer(state, token)) return false;
  return lock.lastToken === 0 || (state.isRecovering && lock.holder !== undefined && token > lock.lastToken);
}

/** New tokens stay above those that come back, and whole: a million a second for twelve days are left. */
const maxFormer = Number.MAX_SAFE_INTEGER - 2 ** 40;

/** Tokens never repeat, so one that was given out here, or came back already, is nobody else's. */
function isFormer(
  { isRecovering, ownFromToken, nextToken, adoptedTokens }: MachineState,
  token: Token,
): boolean {
  if (token > maxFormer || adoptedTokens.has(token)) return false;
  return isRecovering || token < ownFromToken || token >= nextToken;
}
