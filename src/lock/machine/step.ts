import type { SessionId } from '../../core/ids.ts';
import { acquire } from './acquire.ts';
import type { Change } from './changes.ts';
import type { Command, CommandOf, Replies, UnknownSession } from './commands.ts';
import type { MachineEvent, Step } from './events.ts';
import { nodeGone } from './gone-nodes.ts';
import { decline, release } from './release.ts';
import { renew } from './renew.ts';
import { endSession, openSession, streamClosed, streamOpened } from './sessions.ts';
import { sources } from './sources.ts';
import type { MachineState, Session } from './state.ts';
import { listen, status } from './status.ts';
import { tick } from './tick.ts';
import { snapshotOf } from './views.ts';

export interface StepResult<Kind extends Command['kind']> {
  readonly state: MachineState;
  readonly reply: Replies[Kind];
  readonly events: readonly MachineEvent[];
  readonly changes: readonly Change[];
}

type Handlers = {
  readonly [Kind in Command['kind']]: (
    state: MachineState,
    command: CommandOf<Kind>,
    step: Step,
  ) => Replies[Kind];
};

const unknownSession: UnknownSession = { kind: 'unknown-session' };

const handlers: Handlers = {
  'open-session': openSession,
  'close-session': (state, { sessionId }, step) =>
    withSession(state, sessionId, (session) => endSession(state, session, 'the session was closed', step)),
  renew: (state, { sessionId, heartbeat }, step) => {
    const session = state.sessions.get(sessionId);
    return session ? renew(state, session, heartbeat, step) : unknownSession;
  },
  'stream-opened': (state, { sessionId }, { nowMs }) => {
    const session = state.sessions.get(sessionId);
    if (!session) return unknownSession;
    streamOpened(session);
    return { kind: 'snapshot', snapshot: snapshotOf(state, session, nowMs) };
  },
  'stream-closed': (state, { sessionId }, step) =>
    withSession(state, sessionId, (session) => streamClosed(session, step)),
  'node-gone': (state, { nodeId }, step) => nodeGone(state, nodeId, step),
  'listener-opened': (state, { resourceId }, step) => listen(state, resourceId, 1, step),
  'listener-closed': (state, { resourceId }, step) => listen(state, resourceId, -1, step),
  acquire: (state, { request }, step) => acquire(state, request, step),
  release: (state, { request }, step) => release(state, request, step),
  decline: (state, { request }, step) => decline(state, request, step),
  sources: (state, { request }, step) => sources(state, request, step),
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
  command: CommandOf<Kind>,
  nowMs: number,
): StepResult<Kind> {
  const events: MachineEvent[] = [];
  const under: Step = { nowMs, events, moved: new Set(), changes: [] };
  const handle: Handlers[Kind] = handlers[command.kind as Kind];
  const reply = handle(state, command, under);
  for (const { resourceId, domain, queue } of under.moved) {
    if (queue.size > 0) events.push({ kind: 'moved', resourceId, domain });
  }
  return { state, reply, events, changes: under.changes };
}

function withSession(state: MachineState, sessionId: SessionId, act: (session: Session) => void): undefined {
  const session = state.sessions.get(sessionId);
  if (session) act(session);
  return undefined;
}
