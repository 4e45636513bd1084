import { randomBytes } from 'node:crypto';
import type { Etcd, EtcdLease } from './client/etcd.ts';
import { keys } from './keys.ts';
import type { Agreement } from './meta.ts';
import { type SeatId, toSeatId } from './replica/cluster.ts';

/** A place among the lock servers of a cluster, for as long as its lease is kept. */
export interface TakenSeat {
  readonly id: SeatId;
  /** When it was taken: what is written in its name asks whether it still is. */
  readonly revision: number;
  readonly lease: EtcdLease;
}

/** Undefined when the servers agreed on something else meanwhile. @throws LayerpullError `etcd_*` */
export async function takeSeat(
  etcd: Etcd,
  { revision: agreed, machine }: Agreement,
  signal: AbortSignal,
): Promise<TakenSeat | undefined> {
  const lease = await etcd.lease(seatSeconds(machine.ttlMs), signal);
  const id = toSeatId(randomBytes(8).toString('hex'));
  try {
    const { succeeded, revision } = await etcd.transact(
      {
        compare: [{ kind: 'changed-at', key: keys.meta, revision: agreed }],
        success: [{ kind: 'put', key: keys.seat(id), value: '', lease: lease.id }],
      },
      signal,
    );
    if (succeeded) return { id, revision, lease };
  } catch (error) {
    await lease.close();
    throw error;
  }
  await lease.close();
  return undefined;
}

/** Shorter than a session lives: those that only a lost server heard have a whole TTL left to be heard by another. */
function seatSeconds(ttlMs: number): number {
  return Math.max(2, Math.ceil((ttlMs * 2) / 3 / 1_000));
}
