import { digestOf } from '../../../src/core/digest.ts';
import { toNodeId, toSessionId } from '../../../src/core/ids.ts';
import type { ClusterState, SeatId } from '../../../src/lock/backends/etcd/replica/cluster.ts';
import { lookRenew, lookStatus, weigh } from '../../../src/lock/backends/etcd/replica/materiality.ts';
import { decodeCluster, encodeCluster } from '../../../src/lock/backends/etcd/replica/snapshot.ts';
import type { CommandOf } from '../../../src/lock/machine/commands.ts';
import { step } from '../../../src/lock/machine/step.ts';
import { checkSame } from './same.ts';

export type Asking = CommandOf<'renew'> | CommandOf<'status'>;

const names = ['a', 'b', 'c', 'd', 'older-1', 'older-2'] as const;

/** Heartbeats of all sessions, with what they hold, and questions of all about everything. */
export function questions({ machine }: ClusterState, addedBytes: number): Asking[] {
  const beats = [...machine.sessions.values()].map(({ id, holds }): Asking => {
    const held = [...holds].flatMap(({ holder, resourceId }) =>
      holder
        ? [
            {
              ...{ type: holder.type, resourceId, token: holder.token },
              ...{ offset: holder.offset + addedBytes, total: holder.total },
            },
          ]
        : [],
    );
    return { kind: 'renew', sessionId: id, heartbeat: { held } };
  });
  const asked = names.flatMap((name) =>
    (['pull', 'delete'] as const).flatMap((type) =>
      ['0', '1'].map((resource): Asking => {
        const session = name.startsWith('older') ? {} : { sessionId: toSessionId(`s-${name}`) };
        const resourceId = digestOf(Buffer.from(resource));
        return { kind: 'status', request: { type, resourceId, nodeId: toNodeId(name), ...session } };
      }),
    ),
  );
  return [...beats, ...asked];
}

/**
 * What needs not be written is answered as the machine would answer it, and nothing would have changed but when somebody
 * was heard, and for what can wait how far a holder is.
 */
export function checkWeight(cluster: ClusterState, seat: SeatId, question: Asking, laterMs: number): string {
  const nowMs = cluster.atMs + laterMs;
  const before = encodeCluster(cluster);
  const weight = weigh(cluster, seat, question, nowMs);
  if (weight === 'write') return weight;
  const answer =
    question.kind === 'renew' ? lookRenew(cluster, question, nowMs) : lookStatus(cluster, question, nowMs);
  checkSame('looking changed something', encodeCluster(cluster), before);
  const written = decodeCluster(before, cluster.machine.options);
  const { reply, events } = step(written.machine, question, nowMs);
  if (weight === 'local') checkSame('the answers differ', answer, reply);
  checkSame('something would have been told', events, []);
  const plain = decodeCluster(before, cluster.machine.options);
  for (const { machine } of [plain, written]) forgetHearing(machine, question, weight === 'soon');
  checkSame('something would have changed', encodeCluster(written), encodeCluster(plain));
  return weight;
}

function forgetHearing(machine: ClusterState['machine'], question: Asking, isProgress: boolean): void {
  const id = question.kind === 'renew' ? question.sessionId : undefined;
  const session = id && machine.sessions.get(id);
  if (session) session.heartbeatMs = 0;
  for (const { holder, queue } of machine.locks.values()) {
    if (holder) holder.seenMs = 0;
    for (const waiter of queue) waiter.seenMs = 0;
    if (holder && isProgress && holder.sessionId === id) {
      holder.offset = 0;
      holder.progressedMs = 0;
      holder.flowingMs = 0;
    }
  }
}
