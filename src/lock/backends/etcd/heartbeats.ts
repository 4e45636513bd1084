import type { Heartbeat } from '../../locks.ts';

/** Copies that one command tells of: far below what etcd takes in one entry, whatever the algorithm of their digests. */
const maxAnnounced = 2_000;

/** The same heartbeat as several, in their order, where it tells of more copies than fit into an entry. */
export function inPortions(heartbeat: Heartbeat): Heartbeat[] {
  const { announce: { add, remove } = { add: [], remove: [] } } = heartbeat;
  if (add.length + remove.length <= maxAnnounced) return [heartbeat];
  // What is gone first, as within one.
  const all = [
    ...remove.map((digest) => ({ digest, isThere: false })),
    ...add.map((digest) => ({ digest, isThere: true })),
  ];
  const portions: Heartbeat[] = [];
  for (let at = 0; at < all.length; at += maxAnnounced) {
    const some = all.slice(at, at + maxAnnounced);
    const digests = (isThere: boolean) =>
      some.flatMap((one) => (one.isThere === isThere ? [one.digest] : []));
    portions.push({ ...heartbeat, held: [], announce: { add: digests(true), remove: digests(false) } });
  }
  const { announce: _, ...rest } = heartbeat;
  return [...portions, rest];
}
