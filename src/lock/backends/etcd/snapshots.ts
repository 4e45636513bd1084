import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import * as v from 'valibot';
import { LayerpullError } from '../../../core/errors.ts';
import type { MachineOptions } from '../../machine/options.ts';
import type { Etcd, EtcdCompare, EtcdOperation, EtcdRange } from './client/etcd.ts';
import { keys } from './keys.ts';
import type { ClusterState } from './replica/cluster.ts';
import { decodeCluster } from './replica/snapshot.ts';

const compress = promisify(gzip);
const expand = promisify(gunzip);

/** Of one piece: far below the 1.5 MiB that etcd takes in one request. */
const pieceBytes = 524_288;
/** Of one transaction, for which etcd takes 128 operations. */
const maxDeletions = 100;
/** Of a snapshot when it is read: what nobody wrote must not fill the memory. */
const maxBytes = 1_073_741_824;

const currentSchema = v.object({
  /** Everything up to it is in the snapshot. */
  revision: v.number(),
  pieces: v.number(),
  /** Of the pieces together. */
  sha256: v.string(),
});

/** The snapshot that counts, as `snapshot/current` names it. */
export interface Current extends v.InferOutput<typeof currentSchema> {
  readonly changedAt: number;
}

export interface Snapshot {
  readonly cluster: ClusterState;
  readonly current: Current;
}

/** What `snapshot/current` says among keys that were read; undefined while there is none. */
export function currentIn({ entries }: Pick<EtcdRange, 'entries'>): Current | undefined {
  const entry = entries.find(({ key }) => key === keys.current);
  if (!entry) return undefined;
  const current = v.parse(currentSchema, JSON.parse(entry.value.toString()));
  return { ...current, changedAt: entry.modRevision };
}

/**
 * The snapshot among keys that were read at one revision; undefined while there is none.
 *
 * @throws LayerpullError `data_unusable` for one that is damaged
 */
export async function readSnapshot(range: EtcdRange, options: MachineOptions): Promise<Snapshot | undefined> {
  const current = currentIn(range);
  if (!current) return undefined;
  // Two servers may write one at the same revision, and their compression may differ.
  const prefix = `${keys.pieces(current.revision)}${current.sha256}/`;
  const pieces = range.entries.filter(({ key }) => key.startsWith(prefix)).map(({ value }) => value);
  const bytes = Buffer.concat(pieces);
  if (sumOf(bytes) !== current.sha256) throw damaged(current);
  const text = await expand(bytes, { maxOutputLength: maxBytes });
  return { cluster: decodeCluster(text.toString(), options), current };
}

export interface Writing {
  readonly etcd: Etcd;
  /** The cluster as text. */
  readonly text: string;
  /** Of the last entry that the cluster had applied then. */
  readonly revision: number;
  /** The snapshot that it replaces. */
  readonly before: Current | undefined;
  /** Holds while its writer is one of the cluster's servers: what others began anew is not what it knows. */
  readonly fence: EtcdCompare;
  /** What deletes the entries that it covers. */
  readonly deletions: readonly EtcdOperation[];
  readonly signal: AbortSignal;
}

/**
 * Writes how the cluster stands, and lets go of the entries that led there. False when another server was faster, or the
 * fence does not hold.
 * What is left of one that broke off goes with the next.
 */
export async function writeSnapshot(writing: Writing): Promise<boolean> {
  const { etcd, text, revision, before, fence, deletions, signal } = writing;
  const bytes = await compress(text);
  const sha256 = sumOf(bytes);
  const pieces = Math.ceil(bytes.length / pieceBytes);
  for (let index = 0; index < pieces; index += 1) {
    const value = bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes);
    const key = keys.piece(revision, sha256, index);
    const piece = await etcd.transact({ compare: [fence], success: [{ kind: 'put', key, value }] }, signal);
    if (!piece.succeeded) return false;
  }
  const unchanged: EtcdCompare = before
    ? { kind: 'changed-at', key: keys.current, revision: before.changedAt }
    : { kind: 'absent', key: keys.current };
  const value = JSON.stringify({ revision, pieces, sha256 });
  const older = { kind: 'delete-range', from: keys.pieces(0), to: keys.pieces(revision) } as const;
  const { succeeded } = await etcd.transact(
    {
      compare: [fence, unchanged],
      success: [{ kind: 'put', key: keys.current, value }, ...deletions.slice(0, maxDeletions), older],
    },
    signal,
  );
  if (succeeded) await deleteRest(etcd, deletions.slice(maxDeletions), signal);
  return succeeded;
}

/** Nobody reads what a snapshot covers. What is left here goes with the next. */
async function deleteRest(
  etcd: Etcd,
  deletions: readonly EtcdOperation[],
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < deletions.length; at += maxDeletions)
    await etcd.transact({ compare: [], success: deletions.slice(at, at + maxDeletions) }, signal);
}

function damaged({ revision }: Current): LayerpullError {
  return new LayerpullError('data_unusable', `the snapshot of revision ${revision} in etcd is damaged`, {
    hint: 'stop all lock servers, delete the keys below their prefix, and start them: running pulls bring back what they hold',
  });
}

function sumOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
