import { type Digest, digestOf } from '../../../src/core/digest.ts';
import {
  type NodeId,
  type SessionId,
  type Token,
  toNodeId,
  toSessionId,
  toStoreId,
} from '../../../src/core/ids.ts';
import type { AcquireRequest, HeldProgress, OperationType, SessionEvent } from '../../../src/lock/locks.ts';
import type { Command, CommandOf, Replies } from '../../../src/lock/machine/commands.ts';
import type { MachineEvent } from '../../../src/lock/machine/events.ts';
import { type MachineOptions, machineOptions } from '../../../src/lock/machine/options.ts';
import { createState, type MachineState } from '../../../src/lock/machine/state.ts';
import { step } from '../../../src/lock/machine/step.ts';

export const layer: Digest = digestOf(Buffer.from('layer 1'));
export const otherLayer: Digest = digestOf(Buffer.from('layer 2'));

/** A machine, the time, and all it told so far. */
export interface Rig {
  readonly state: MachineState;
  readonly events: MachineEvent[];
  now(): number;
  run<Kind extends Command['kind']>(command: CommandOf<Kind>): Replies[Kind];
  /** Lets time pass with a tick every quarter of a second. */
  pass(ms: number): void;
  /** Lets time pass without any tick, as when the process is stopped. */
  stall(ms: number): void;
  /** A session with an id made from its node. */
  open(node: string, options?: OpenOptions): SessionId;
  /** With a session when `who` names an open one, else as an older client. */
  acquire(who: string, request?: Partial<AcquireRequest>): Replies['acquire'];
  release(who: string, success?: boolean, request?: About): Replies['release'];
  renew(who: string, held?: readonly HeldProgress[]): Replies['renew'];
  /** The node that holds the lock of `layer`. */
  holder(domain?: string): string | undefined;
  queue(domain?: string): string[];
  /** What one session was told. */
  told(node: string): SessionEvent[];
}

export interface OpenOptions {
  readonly isReturning?: boolean;
  readonly store?: string;
  readonly url?: string;
  readonly zone?: string;
}

type About = { readonly type?: OperationType; readonly resourceId?: Digest; readonly token?: Token };

const tickMs = 250;

export const sessionOf = (node: string): SessionId => toSessionId(`session-${node}`);

export function createRig(options: Partial<MachineOptions> = {}): Rig {
  let nowMs = 1_000;
  const state = createState(machineOptions({ recoveryMs: 0, ...options }), nowMs);
  const events: MachineEvent[] = [];
  const ask = (who: string): { nodeId: NodeId; sessionId?: SessionId } => {
    const sessionId = sessionOf(who);
    return { nodeId: toNodeId(who), ...(state.sessions.has(sessionId) ? { sessionId } : {}) };
  };
  const lockOf = (domain: string) => state.locks.get(`${domain}\n${layer}`);

  const rig: Rig = {
    state,
    events,
    now: () => nowMs,
    run(command) {
      const result = step(state, command, nowMs);
      events.push(...result.events);
      return result.reply;
    },
    pass(ms) {
      for (let left = ms; left > 0; left -= tickMs) {
        nowMs += Math.min(left, tickMs);
        rig.run({ kind: 'tick' });
      }
    },
    stall(ms) {
      nowMs += ms;
    },
    open(node, { isReturning = false, store, ...said } = {}) {
      const sessionId = sessionOf(node);
      const storeId = store === undefined ? {} : { storeId: toStoreId(store) };
      const request = { sessionId, nodeId: toNodeId(node), ...storeId, ...said };
      return rig.run({ kind: 'open-session', request, isReturning }).sessionId;
    },
    acquire(who, request = {}) {
      return rig.run({
        kind: 'acquire',
        request: { type: 'pull', resourceId: layer, ...ask(who), ...request },
      });
    },
    release(who, success = true, request = {}) {
      const outcome = success ? { success } : { success, error: `${who} failed`, class: 'node' as const };
      const base = { type: 'pull' as const, resourceId: layer, ...ask(who), outcome };
      return rig.run({ kind: 'release', request: { ...base, ...request } });
    },
    renew: (who, held = []) => rig.run({ kind: 'renew', sessionId: sessionOf(who), heartbeat: { held } }),
    holder: (domain = 'default') => lockOf(domain)?.holder?.nodeId,
    queue: (domain = 'default') => [...(lockOf(domain)?.queue ?? [])].map(({ nodeId }) => nodeId),
    told: (node) =>
      events.flatMap((event) =>
        event.kind === 'session' && event.sessionId === sessionOf(node) ? [event.event] : [],
      ),
  };
  return rig;
}
