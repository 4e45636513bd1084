import * as v from 'valibot';
import type { Clock } from '../../../core/clock.ts';
import { LayerpullError } from '../../../core/errors.ts';
import { toToken } from '../../../core/ids.ts';
import { type MachineOptions, machineOptions } from '../../machine/options.ts';
import { boundsInWords } from './bounds-in-words.ts';
import type { Etcd, EtcdEntry } from './client/etcd.ts';
import { keys } from './keys.ts';

/** Version of what is written; another one starts over. */
const format = 1;

const metaSchema = v.object({
  format: v.number(),
  /** Servers whose rules differ would part from one another. */
  rules: v.number(),
  /** Of layerpull, where these were agreed on: for people. */
  version: v.string(),
  /** Where the cluster's time, tokens and recovery begin. */
  atMs: v.number(),
  firstToken: v.number(),
  options: v.record(v.string(), v.union([v.number(), v.boolean()])),
});

type Meta = v.InferOutput<typeof metaSchema>;

/** What a cluster began with, and what its servers have in common. */
export interface Agreement {
  readonly machine: MachineOptions;
  readonly atMs: number;
  /** Of the key: a seat is taken under this agreement, and no other. */
  readonly revision: number;
}

export interface AgreementWanted {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly version: string;
  readonly rules: number;
  readonly options: Partial<MachineOptions>;
  readonly signal: AbortSignal;
}

/**
 * Joins the cluster's agreement, or makes it. Where no server runs, one with other options or of other rules begins
 * anew, for by them the entries of before may come to something else than their clients were told: these bring back
 * what they hold, as to any server that forgot it.
 *
 * @throws LayerpullError `cluster_mismatch` while servers run that agreed on something else; `etcd_*`
 */
export async function agree(wanted: AgreementWanted): Promise<Agreement> {
  const { etcd, signal } = wanted;
  for (let round = 0; ; round += 1) {
    const { found } = await etcd.transact(
      { compare: [], success: [{ kind: 'get', key: keys.meta }] },
      signal,
    );
    const [entry] = found;
    const meta = entry && readMeta(entry);
    if (entry && meta && differences(meta, wanted).length === 0) return agreementOf(meta, entry.modRevision);
    const revision = await replace(wanted, entry, meta);
    if (revision !== undefined) continue;
    // In the first round another server may have made it just now.
    const isOld = entry !== undefined || round > 0;
    if (isOld && (await serversRun(wanted))) throw mismatch(meta, wanted);
  }
}

function readMeta({ value }: EtcdEntry): Meta | undefined {
  try {
    return v.parse(metaSchema, JSON.parse(value.toString()));
  } catch {
    return undefined;
  }
}

/** Writes what is wanted if nothing is there, or no server runs; the revision, if that was so. */
async function replace(
  wanted: AgreementWanted,
  entry: EtcdEntry | undefined,
  meta: Meta | undefined,
): Promise<number | undefined> {
  const { succeeded, revision } = await wanted.etcd.transact(
    {
      compare: [
        entry
          ? { kind: 'changed-at', key: keys.meta, revision: entry.modRevision }
          : { kind: 'absent', key: keys.meta },
        { kind: 'none', prefix: keys.seats },
      ],
      success: [
        { kind: 'put', key: keys.meta, value: JSON.stringify(freshMeta(wanted, meta)) },
        dropAll(keys.log),
        dropAll(keys.snapshots),
      ],
    },
    wanted.signal,
  );
  return succeeded ? revision : undefined;
}

function dropAll(prefix: string) {
  return { kind: 'delete-range', from: prefix, to: `${prefix}\u{7f}` } as const;
}

/** More tokens than a cluster gives out before it begins anew. */
const spanOfTokens = 2 ** 40;

/**
 * Tokens begin at wall time, which is above those of a cluster whose data was lost. Where the former agreement can be
 * read they are above those of its time also if the clock here is behind the one that it was made by.
 */
function freshMeta({ clock, version, rules, options }: AgreementWanted, former: Meta | undefined): Meta {
  const atMs = Math.floor(clock.wallNow());
  const firstToken = Math.max(atMs * 1_024, former ? former.firstToken + spanOfTokens : 0);
  return { format, rules, version, atMs, firstToken, options: sharedOptions(options) };
}

async function serversRun({ etcd, signal }: AgreementWanted): Promise<boolean> {
  return (await etcd.list(keys.seats, { signal })).entries.length > 0;
}

/** What a server is started with: the first token is the cluster's. */
function sharedOptions(given: Partial<MachineOptions>): Record<string, number | boolean> {
  const { firstToken: _, ...shared } = machineOptions(given);
  return shared;
}

function agreementOf({ atMs, firstToken, options }: Meta, revision: number): Agreement {
  const machine = machineOptions({ ...options, firstToken: toToken(firstToken) });
  return { machine, atMs, revision };
}

/** What is not as wanted, for people. */
function differences(meta: Meta, { rules, options }: AgreementWanted): string[] {
  if (meta.format !== format || meta.rules !== rules) return [`the rules of version ${meta.version}`];
  const wanted = sharedOptions(options);
  const names = new Set([...Object.keys(wanted), ...Object.keys(meta.options)]);
  const different = [...names].filter((name) => wanted[name] !== meta.options[name]);
  return different.length > 0 ? [boundsInWords(different, meta.options)] : [];
}

function mismatch(meta: Meta | undefined, wanted: AgreementWanted): LayerpullError {
  const theirs = meta ? differences(meta, wanted).join(', ') : 'something that cannot be read';
  return new LayerpullError('cluster_mismatch', `other lock servers of this cluster run with ${theirs}`, {
    hint: 'give all servers of one prefix the same options, and versions that may run together: stop the others first to change them',
  });
}
