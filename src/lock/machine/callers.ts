import type { NodeId, SessionId } from '../../core/ids.ts';
import type { OperationType, ResourceRequest } from '../locks.ts';
import type { Step } from './events.ts';
import {
  defaultDomain,
  type Hold,
  type Identity,
  type Lock,
  type MachineState,
  type Session,
} from './state.ts';

type Asking = Pick<ResourceRequest, 'nodeId' | 'sessionId'>;

/** Who asks, and in which domain. */
export interface Caller {
  readonly identity: Identity;
  readonly nodeId: NodeId;
  readonly session: Session | undefined;
  readonly domain: string;
}

/** Undefined for a session that is not known. Asking anything is a sign of life after a broken stream. */
export function callerOf(state: MachineState, asking: Asking): Caller | undefined {
  const caller = findCaller(state, asking);
  if (caller?.session) caller.session.cutMs = undefined;
  else if (caller) state.goneNodes.delete(caller.nodeId);
  return caller;
}

/** The same without a sign of life. */
export function findCaller(state: MachineState, { nodeId, sessionId }: Asking): Caller | undefined {
  if (sessionId === undefined)
    return { identity: nodeIdentity(nodeId), nodeId, session: undefined, domain: defaultDomain };
  const session = state.sessions.get(sessionId);
  if (!session) return undefined;
  return { identity: identityOf(sessionId), nodeId: session.nodeId, session, domain: session.domain };
}

export function nodeIdentity(nodeId: NodeId): Identity {
  return `node ${nodeId}`;
}

export function identityOf(sessionId: SessionId): Identity {
  return `session ${sessionId}`;
}

/** The caller's hold of this type. */
export function holdOf(lock: Lock, { identity }: Caller, type: OperationType): Hold | undefined {
  const { holder } = lock;
  return holder?.identity === identity && holder.type === type ? holder : undefined;
}

/** Any request of the holder about its lock renews the lease of one without a session. */
export function renewLease({ holder }: Lock, { identity }: Caller, { nowMs }: Step): void {
  if (holder?.identity === identity && holder.isClaimed) holder.seenMs = nowMs;
}
