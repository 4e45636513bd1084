import { type NodeId, type SessionId, toNodeId, toStoreId } from '../../../../../src/core/ids.ts';
import {
  applyEntry,
  createCluster,
  type Reply,
} from '../../../../../src/lock/backends/etcd/replica/apply.ts';
import {
  type ClusterCommand,
  type ClusterState,
  type SeatId,
  toSeatId,
} from '../../../../../src/lock/backends/etcd/replica/cluster.ts';
import type { AcquireRequest, Heartbeat, SessionEvent } from '../../../../../src/lock/locks.ts';
import type { MachineEvent } from '../../../../../src/lock/machine/events.ts';
import { type MachineOptions, machineOptions } from '../../../../../src/lock/machine/options.ts';
import type { Session } from '../../../../../src/lock/machine/state.ts';
import { layer, sessionOf } from '../../../machine/support.ts';

export interface Told {
  readonly index: number;
  readonly reply: Reply;
  readonly events: readonly MachineEvent[];
}

/** A replica, servers that write, and all that it told. */
export interface Stage {
  readonly cluster: ClusterState;
  readonly told: Told[];
  /** Writes an entry of that server now. Answers the replies to its commands. */
  write(seat: string, ...commands: ClusterCommand[]): Reply[];
  /** Lets time pass, in which this server writes nothing else. */
  pass(ms: number, seat?: string): void;
  /** Lets time pass in which nobody writes. */
  stall(ms: number): void;
  open(seat: string, node: string, said?: { readonly store?: string; readonly url?: string }): SessionId;
  acquire(seat: string, who: string, request?: Partial<AcquireRequest>): Reply;
  renew(seat: string, node: string, heartbeat?: Partial<Heartbeat>): Reply;
  session(node: string): Session | undefined;
  holder(): NodeId | undefined;
  /** What one session was told. */
  toldTo(node: string): SessionEvent[];
}

export function createStage(options: Partial<MachineOptions> = {}, startMs = 1_000): Stage {
  const cluster = createCluster(machineOptions({ recoveryMs: 0, ...options }), startMs);
  const told: Told[] = [];
  const seqs = new Map<SeatId, number>();
  let nowMs = startMs;
  const write = (name: string, ...commands: ClusterCommand[]): Reply[] => {
    const seat = toSeatId(name);
    const seq = (seqs.get(seat) ?? 0) + 1;
    seqs.set(seat, seq);
    const before = told.length;
    applyEntry(cluster, { seat, seq, atMs: nowMs, commands }, (index, reply, events) => {
      told.push({ index, reply, events });
    });
    return told.slice(before).flatMap(({ index, reply }) => (index < 0 ? [] : [reply]));
  };
  const ask = (who: string) => {
    const sessionId = sessionOf(who);
    return { nodeId: toNodeId(who), ...(cluster.machine.sessions.has(sessionId) ? { sessionId } : {}) };
  };
  return {
    cluster,
    told,
    write,
    pass(ms, seat = 'timekeeper') {
      for (let left = ms; left > 0; left -= 500) {
        nowMs += Math.min(left, 500);
        write(seat);
      }
    },
    stall(ms) {
      nowMs += ms;
    },
    open(seat, node, { store, ...said } = {}) {
      const sessionId = sessionOf(node);
      const storeId = store === undefined ? {} : { storeId: toStoreId(store) };
      const request = { sessionId, nodeId: toNodeId(node), ...storeId, ...said };
      write(seat, { kind: 'open-session', request, isReturning: false });
      return sessionId;
    },
    acquire: (seat, who, request = {}) =>
      write(seat, {
        kind: 'acquire',
        request: { type: 'pull', resourceId: layer, ...ask(who), ...request },
      })[0],
    renew: (seat, node, heartbeat = {}) =>
      write(seat, { kind: 'renew', sessionId: sessionOf(node), heartbeat: { held: [], ...heartbeat } })[0],
    session: (node) => cluster.machine.sessions.get(sessionOf(node)),
    holder: () => cluster.machine.locks.get(`default\n${layer}`)?.holder?.nodeId,
    toldTo: (node) =>
      told.flatMap(({ events }) =>
        events.flatMap((event) =>
          event.kind === 'session' && event.sessionId === sessionOf(node) ? [event.event] : [],
        ),
      ),
  };
}
