import { type EtcdMember, startEtcdIfThere } from '../../../test/support/etcd.ts';
import { cpuMs } from '../locks/process-usage.ts';
import { formatRate, formatShortMs, median, percentile } from '../numbers.ts';
import { type Answered, answerAll, type Load, putLoadOn } from './load.ts';
import type { Cluster } from './locker.ts';
import { type LogCluster, openLog } from './log.ts';
import { openTransactions } from './transactions.ts';

export interface OrderOptions {
  readonly seconds: number;
  readonly clients: number;
  readonly locks: number;
  readonly waiters: number;
}

interface Measured {
  readonly load: Load;
  /** Two clients and one lock, so that nothing but the hand-off is on its way. */
  readonly alone: Load;
  readonly answered: readonly Answered[];
  readonly cpuPercent: { readonly etcd: number; readonly servers: number };
  readonly entries: Entries | undefined;
}

interface Entries {
  /** Milliseconds from writing an entry to its own watch, under the load. */
  readonly seenMs: readonly number[];
  /** Commands each second when every entry is full. */
  readonly fullPerSecond: number;
}

interface Way {
  readonly name: string;
  readonly measure: (etcd: EtcdMember, options: OrderOptions) => Promise<Measured>;
}

const rounds = 3;
const fullCommands = 20_000;

const ways: readonly Way[] = [
  {
    name: 'keys per lock, 3 servers',
    measure: async (etcd, options) => measure(await openTransactions(etcd.address, 3), etcd, options),
  },
  {
    name: 'a log, 3 servers',
    measure: async (etcd, options) => measureLog(await openLog(etcd.address, 3), etcd, options),
  },
  {
    name: 'a log, 1 server',
    measure: async (etcd, options) => measureLog(await openLog(etcd.address, 1), etcd, options),
  },
];

/** Rows of a table with a column for each way, each on an etcd of its own; undefined where etcd is not to be had. */
export async function compareOrders(options: OrderOptions): Promise<string[][] | undefined> {
  const columns: string[][] = [['', ...rowNames(options)]];
  for (const { name, measure } of ways) {
    const etcd = await startEtcdIfThere();
    if (!etcd) return undefined;
    process.stderr.write(`measuring ${name}\n`);
    columns.push([name, ...cellsOf(await measure(etcd, options))]);
    await etcd.stop();
  }
  return (columns[0] ?? []).map((_, row) => columns.map((column) => column[row] ?? ''));
}

async function measureLog(cluster: LogCluster, etcd: EtcdMember, options: OrderOptions): Promise<Measured> {
  const loaded = await measureLoad(cluster, etcd, options);
  const seenMs = [...cluster.seenMs];
  const rest = await measureRest(cluster, options);
  const startedAt = performance.now();
  await Promise.all(cluster.servers.map((_, server) => cluster.order(server, fullCommands)));
  const ordered = fullCommands * cluster.servers.length;
  const fullPerSecond = (ordered / (performance.now() - startedAt)) * 1_000;
  cluster.close();
  return { ...loaded, ...rest, entries: { seenMs, fullPerSecond } };
}

async function measure(cluster: Cluster, etcd: EtcdMember, options: OrderOptions): Promise<Measured> {
  const loaded = await measureLoad(cluster, etcd, options);
  const rest = await measureRest(cluster, options);
  cluster.close();
  return { ...loaded, ...rest, entries: undefined };
}

async function measureLoad(cluster: Cluster, etcd: EtcdMember, options: OrderOptions) {
  const usage = () => [performance.now(), cpuMs(etcd.child.pid), cpuMs(process.pid)] as const;
  const before = usage();
  const load = await putLoadOn(cluster, options);
  const after = usage();
  const percent = (index: 1 | 2) => ((after[index] - before[index]) / (after[0] - before[0])) * 100;
  return { load, cpuPercent: { etcd: percent(1), servers: percent(2) } };
}

async function measureRest(cluster: Cluster, options: OrderOptions) {
  const alone = await putLoadOn(cluster, { seconds: options.seconds, clients: 2, locks: 1 });
  const answered: Answered[] = [];
  for (let round = 0; round < rounds; round += 1) {
    answered.push(await answerAll(cluster, options.waiters, options.locks + round));
  }
  return { alone, answered };
}

function rowNames({ clients, locks, waiters }: OrderOptions): string[] {
  return [
    `pairs, ${clients} clients, ${locks} locks`,
    'a free lock is given, p50',
    'a free lock is given, p99',
    'hand-off under that load, p50',
    'hand-off under that load, p99',
    'hand-off alone, p50',
    'hand-off alone, p99',
    'transactions per pair',
    'events per pair, all servers',
    'processor: etcd',
    'processor: servers and clients',
    'from put to own watch, p50',
    'from put to own watch, p99',
    'pairs with full entries',
    `${waiters} queue up`,
    'one completion is answered',
    `all servers know of ${waiters}`,
    'events for that, all servers',
  ];
}

function cellsOf({ load, alone, answered, cpuPercent, entries }: Measured): string[] {
  const middle = (what: keyof Answered) => median(answered.map((round) => round[what]));
  const times = (samples: readonly number[]) =>
    [50, 99].map((percent) => formatShortMs(percentile(samples, percent)));
  return [
    formatRate(load.pairsPerSecond),
    ...times(load.freeMs),
    ...times(load.handOffMs),
    ...times(alone.handOffMs),
    load.usedPerPair.transactions.toFixed(2),
    load.usedPerPair.events.toFixed(2),
    `${cpuPercent.etcd.toFixed(0)} %`,
    `${cpuPercent.servers.toFixed(0)} %`,
    ...(entries ? times(entries.seenMs) : ['', '']),
    entries ? formatRate(entries.fullPerSecond / 2) : '',
    formatShortMs(middle('queuedMs')),
    formatShortMs(middle('completedMs')),
    formatShortMs(middle('allKnowMs')),
    String(middle('events')),
  ];
}
