import { type SeatId, toSeatId } from './replica/cluster.ts';

/**
 * What is where below the prefix of a cluster:
 *
 * - `meta`: what all servers agree on from the start (meta.ts)
 * - `live/seats/SEAT`: the servers that run, each on its lease
 * - `live/log/SEAT/SEQ`: what they did since the last snapshot, in the order of revisions
 * - `snapshot/current`, `snapshot/REVISION/SUM/PIECE`: how things stood at a revision (snapshots.ts)
 */
export const keys = {
  meta: 'meta',
  /** What servers watch. */
  live: 'live/',
  seats: 'live/seats/',
  log: 'live/log/',
  snapshots: 'snapshot/',
  current: 'snapshot/current',
  seat: (id: SeatId) => `live/seats/${id}`,
  entry: (id: SeatId, seq: number) => `live/log/${id}/${padded(seq)}`,
  piece: (revision: number, sha256: string, index: number) =>
    `snapshot/${padded(revision)}/${sha256}/${padded(index)}`,
  /** Where pieces of this snapshot begin, behind those of all before it. */
  pieces: (revision: number) => `snapshot/${padded(revision)}/`,
} as const;

/** Keys are in the order of their bytes. */
function padded(value: number): string {
  return String(value).padStart(16, '0');
}

/** Whose entry that is; undefined for any other key. */
export function parseEntryKey(key: string): { readonly seat: SeatId; readonly seq: number } | undefined {
  const [, seat, seq] = /^live\/log\/([^/]+)\/(\d{16})$/.exec(key) ?? [];
  return seat !== undefined && seq !== undefined ? { seat: toSeatId(seat), seq: Number(seq) } : undefined;
}

export function parseSeatKey(key: string): SeatId | undefined {
  const [, seat] = /^live\/seats\/([^/]+)$/.exec(key) ?? [];
  return seat === undefined ? undefined : toSeatId(seat);
}
