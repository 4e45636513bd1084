import type { SessionId } from '../../core/ids.ts';
import { acquire } from './acquire.ts';
import type { Command, MachineEvent, Replies, Step } from './commands.ts';
import { decline, release } from './release.ts';
import { endSession, openSession, renew, snapshotOf, streamClosed, streamOpened } from './sessions.ts';
import type { MachineState, Session } from './state.ts';
import { listen, status } from './status.ts';
import { tick } from './tick.ts';

export interface StepResult<Kind extends Command['kind']> {
  readonly state: MachineState;
  readonly reply: Replies[Kind];
  readonly events: readonly MachineEvent[];
}

type Handlers = {
  readonly [Kind in Command['kind']]: (
    state: MachineState,
    command: Extract<Command, { kind: Kind }>,
    step: Step,
  ) => Replies[Kind];
};

const handlers: Handlers = {
  'open-session': (state, { request }, step) => openSession(state, request, step),
  'close-session': (state, { sessionId }, step) =>
    withSession(state, sessionId, (session) => endSession(state, session, 'the session was closed', step)),
  renew: (state, { sessionId, heartbeat }, step) => {
    const session = state.sessions.get(sessionId);
    return session ? renew(state, session, heartbeat, step) : { kind: 'unknown-session' };
  },
  'stream-opened': (state, { sessionId }, step) => {
    const session = state.sessions.get(sessionId);
    if (!session) return { kind: 'unknown-session' };
    streamOpened(session, step);
    return { kind: 'snapshot', ...snapshotOf(session) };
  },
  'stream-closed': (state, { sessionId }, step) =>
    withSession(state, sessionId, (session) => streamClosed(session, step)),
  'listener-opened': (state, { resourceId }, step) => listen(state, resourceId, 1, step),
  'listener-closed': (state, { resourceId }, step) => listen(state, resourceId, -1, step),
  acquire: (state, { request }, step) => acquire(state, request, step),
  release: (state, { request }, step) => release(state, request, step),
  decline: (state, { request }, step) => decline(state, request, step),
  status: (state, { request }, step) => status(state, request, step),
  tick: (state, _, step) => tick(state, step),
};

/**
 * The rules of the lock service. Knows no clock, no I/O and no chance: the same commands at the same times lead to
 * the same state, replies and events. The state is edited in place and belongs to the machine.
 *
 * @param nowMs milliseconds of a clock that never goes back
 */
export function step<Kind extends Command['kind']>(
  state: MachineState,
  command: Extract<Command, { kind: Kind }>,
  nowMs: number,
): StepResult<Kind> {
  const events: MachineEvent[] = [];
  const handle: Handlers[Kind] = handlers[command.kind as Kind];
  const reply = handle(state, command, { nowMs, events });
  return { state, reply, events };
}

function withSession(state: MachineState, sessionId: SessionId, act: (session: Session) => void): undefined {
  const session = state.sessions.get(sessionId);
  if (session) act(session);
  return undefined;
}
