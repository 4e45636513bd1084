import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { type SessionId, toNodeId, toSessionId, toStoreId, toToken } from '../../../src/core/ids.ts';
import type { Outcome, ResourceRequest } from '../../../src/lock/locks.ts';
import type { Change } from '../../../src/lock/machine/changes.ts';
import type { Command, CommandOf } from '../../../src/lock/machine/commands.ts';
import type { MachineEvent } from '../../../src/lock/machine/events.ts';
import { findLock, type MachineState } from '../../../src/lock/machine/state.ts';
import type { About, Action, TokenChoice } from './actions.ts';
import { bareMachine, type Stepper } from './stepper.ts';

/** Four with sessions, two of them on a store of their own, and two without. */
const people = [
  { node: 'a', session: 's-a' },
  { node: 'b', session: 's-b' },
  { node: 'c', session: 's-c', store: 'store-1' },
  { node: 'd', session: 's-d', store: 'store-1' },
  { node: 'older-1' },
  { node: 'older-2' },
] as const;
const resources = [digestOf(Buffer.from('0')), digestOf(Buffer.from('1'))] as const;

const resourceAt = (index: number): Digest => resources[index % 2] ?? resources[0];

/** Plays actions on a machine and keeps all it answered and told. */
export interface Player {
  readonly state: MachineState;
  readonly events: MachineEvent[];
  readonly replies: unknown[];
  /** What each step changed, in order. */
  readonly changes: (readonly Change[])[];
  now(): number;
  act(action: Action): Played;
  close(sessionId: SessionId): Played;
  pass(ms: number): Played;
  stopListening(): void;
  sessions(): SessionId[];
}

/** The command that an action came down to, and its answer. */
export interface Played {
  readonly command: Command;
  readonly reply: unknown;
}

export function createPlayer(recoveryMs: number, stepper: Stepper = bareMachine(recoveryMs)): Player {
  let nowMs = 0;
  const { state } = stepper;
  const events: MachineEvent[] = [];
  const replies: unknown[] = [];
  const changes: (readonly Change[])[] = [];

  const run = <Kind extends Command['kind']>(command: CommandOf<Kind>): Played => {
    const result = stepper.step<Kind>(command, nowMs);
    events.push(...result.events);
    changes.push(result.changes);
    replies.push(result.reply ?? null);
    return { command, reply: result.reply };
  };
  const pass = (ms: number): Played => {
    // Ticks a quarter of a second apart for the first minute, then coarser ones that are still regular.
    for (let left = ms; left > 0; ) {
      const gap = Math.min(left, ms - left < 60_000 ? 250 : 4_000);
      nowMs += gap;
      left -= gap;
      run({ kind: 'tick' });
    }
    return run({ kind: 'tick' });
  };

  const requestOf = (who: number, { resource, type }: About): ResourceRequest => {
    const person = people[who % people.length] ?? people[0];
    const session = 'session' in person ? { sessionId: toSessionId(person.session) } : {};
    return { type, resourceId: resourceAt(resource), nodeId: toNodeId(person.node), ...session };
  };
  const sessionAt = (who: number): SessionId =>
    requestOf(who % 4, { resource: 0, type: 'pull' }).sessionId ?? toSessionId('');
  const tokenFor = ({ resourceId, sessionId }: ResourceRequest, choice: TokenChoice) => {
    if (choice === 'none') return {};
    if (choice === 'old') return { token: toToken(1) };
    const domain = (sessionId && state.sessions.get(sessionId)?.domain) ?? 'default';
    const holder = findLock(state, domain, resourceId)?.holder;
    return holder ? { token: holder.token } : {};
  };

  const open = (who: number, store: string | undefined): Played => {
    const person = people[who % 4] ?? people[0];
    const storeId = store === undefined ? {} : { storeId: toStoreId(store) };
    const url = who % 3 === 0 ? {} : { url: `http://${person.node}` };
    const request = { sessionId: sessionAt(who), nodeId: toNodeId(person.node), ...storeId, ...url };
    return run({ kind: 'open-session', request, isReturning: true });
  };
  const storeOf = (who: number): string | undefined => {
    const person = people[who % 4] ?? people[0];
    return 'store' in person ? person.store : undefined;
  };
  const renew = (who: number, lies: readonly number[]): Played => {
    const sessionId = sessionAt(who);
    const holds = [...(state.sessions.get(sessionId)?.holds ?? [])].flatMap(({ holder, resourceId }) =>
      holder ? [{ type: holder.type, resourceId, token: holder.token, offset: 1, total: 2 }] : [],
    );
    const made = lies.map((lie) => ({
      ...{ type: 'pull' as const, resourceId: resourceAt(lie), offset: 1, total: 2 },
      token: toToken(1 + lie),
    }));
    // Some have a copy of one, and no longer of the other.
    const [add, remove] = [lies.filter((lie) => lie % 2 === 0), lies.filter((lie) => lie % 3 === 1)].map(
      (all) => all.map(resourceAt),
    );
    const announce = { add: add ?? [], remove: remove ?? [] };
    return run({ kind: 'renew', sessionId, heartbeat: { held: [...holds, ...made], announce } });
  };

  const act = (action: Action): Played => {
    switch (action.kind) {
      case 'open':
        return open(action.who, storeOf(action.who));
      case 'move':
        return open(action.who, 'store-2');
      case 'close':
        return run({ kind: 'close-session', sessionId: sessionAt(action.who) });
      case 'stream':
        return run({ kind: 'stream-opened', sessionId: sessionAt(action.who) });
      case 'cut':
        return run({ kind: 'stream-closed', sessionId: sessionAt(action.who) });
      case 'acquire': {
        const place = state.isRecovering && action.force ? { position: 1 + (action.who % 3) } : {};
        const request = { ...requestOf(action.who, action.about), force: action.force, ...place };
        return run({ kind: 'acquire', request });
      }
      case 'release': {
        const request = requestOf(action.who, action.about);
        const outcome: Outcome =
          action.end === 'success'
            ? { success: true }
            : { success: false, error: 'broken', class: action.end };
        return run({ kind: 'release', request: { ...request, ...tokenFor(request, action.token), outcome } });
      }
      case 'decline': {
        const request = requestOf(action.who, action.about);
        return run({ kind: 'decline', request: { ...request, ...tokenFor(request, action.token) } });
      }
      case 'status':
        return run({ kind: 'status', request: requestOf(action.who, action.about) });
      case 'renew':
        return renew(action.who, action.lies);
      case 'listen':
        return run({ kind: 'listener-opened', resourceId: resourceAt(action.about.resource) });
      case 'unlisten':
        return run({ kind: 'listener-closed', resourceId: resourceAt(action.about.resource) });
      case 'gone':
        return run({
          kind: 'node-gone',
          nodeId: requestOf(4 + (action.who % 2), { resource: 0, type: 'pull' }).nodeId,
        });
      case 'pass':
        return pass(action.ms);
      case 'stall':
        nowMs += action.ms;
        return run({ kind: 'tick' });
    }
  };

  return {
    state,
    events,
    replies,
    changes,
    now: () => nowMs,
    act,
    pass,
    close: (sessionId) => run({ kind: 'close-session', sessionId }),
    stopListening() {
      for (const resourceId of resources) {
        const { listeners = 0 } = findLock(state, 'default', resourceId) ?? {};
        for (let left = listeners; left > 0; left -= 1) run({ kind: 'listener-closed', resourceId });
      }
    },
    sessions: () => [...state.sessions.keys()],
  };
}
