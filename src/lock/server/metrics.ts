import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ClusterFigures } from '../cluster-figures.ts';
import type { MachineEvent } from '../machine/events.ts';
import type { LockCounts } from '../read-model.ts';

type LogEvent = Extract<MachineEvent, { kind: 'log' }>;

/** The measurements of a lock server, as `docs/metrics.md` lists them. */
export interface Metrics {
  readonly contentType: string;
  /** To be told of everything that happens to locks. */
  observe(event: LogEvent): void;
  /** To be told how long each commit took. */
  committed(ms: number): void;
  /** Where the counts come from, once the service is there. */
  countWith(counts: () => LockCounts): void;
  /** Where the figures of one of several servers come from; otherwise there are none. */
  clusterWith(figures: () => ClusterFigures): void;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

/** Seconds: from an answer at once to the longest waits that people put up with. */
const waitBuckets = [0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const commitBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export function createMetrics(version: string): Metrics {
  const register = new Registry();
  // Memory, processor time, and the lag of the event loop.
  collectDefaultMetrics({ register });
  const parts = createParts(register);
  parts.info.set({ version }, 1);
  return {
    contentType: register.contentType,
    observe: createObserver(parts),
    committed: (ms) => parts.commits.observe(ms / 1_000),
    countWith: (counts) => addGauges(register, counts),
    clusterWith: (figures) => addClusterFigures(register, figures),
    text: () => register.metrics(),
  };
}

type Parts = ReturnType<typeof createParts>;

function createParts(register: Registry) {
  const registers = [register];
  const labelNames = ['type'];
  const counter = (name: string, help: string, ...labels: string[]) =>
    new Counter({ name: `layerpull_lock_${name}`, help, labelNames: [...labelNames, ...labels], registers });
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `layerpull_lock_${name}`, help, labelNames, buckets: waitBuckets, registers });
  return {
    info: new Gauge({
      name: 'layerpull_build_info',
      help: 'Version of the server.',
      labelNames: ['version'],
      registers,
    }),
    grants: counter('grants_total', 'Locks granted.'),
    queued: counter('queued_total', 'Requests that had to wait.'),
    skips: counter('skips_total', 'Requests answered by what another one did.'),
    refusals: counter('refusals_total', 'Requests refused.'),
    ends: counter('ends_total', 'Holds that ended, by how.', 'end'),
    handovers: counter(
      'handovers_total',
      'Locks handed to a waiter, by how the hold before ended.',
      'reason',
    ),
    holds: histogram('hold_seconds', 'How long locks were held.'),
    waits: histogram('wait_seconds', 'How long requests waited until they were granted or answered.'),
    commits: new Histogram({
      name: 'layerpull_lock_commit_seconds',
      help: 'How long a write of the data directory took.',
      buckets: commitBuckets,
      registers,
    }),
  };
}

/** Events come in order, so a grant that waited follows the end of the hold before. */
function createObserver(parts: Parts): (event: LogEvent) => void {
  let lastEnd = { key: '', reason: 'lost' };
  return (event) => {
    const { type, resourceId, domain, heldMs, waitedMs = 0 } = event;
    const key = `${domain} ${resourceId}`;
    const end = endOf(event);
    if (end !== undefined) {
      parts.ends.inc({ type, end });
      parts.holds.observe({ type }, (heldMs ?? 0) / 1_000);
      lastEnd = { key, reason: end };
    }
    if (event.what === 'moved') lastEnd = { key: `${event.from} ${resourceId}`, reason: 'lost' };
    if (event.what === 'granted') {
      parts.grants.inc({ type });
      parts.waits.observe({ type }, waitedMs / 1_000);
      if (lastEnd.key === key && waitedMs > 0) parts.handovers.inc({ type, reason: lastEnd.reason });
    }
    if (event.what === 'queued') parts.queued.inc({ type });
    if (event.what === 'refused') parts.refusals.inc({ type });
    if (event.what === 'skipped') {
      parts.skips.inc({ type });
      parts.waits.observe({ type }, waitedMs / 1_000);
    }
  };
}

function endOf({ what, success, token }: LogEvent): string | undefined {
  if (what === 'released') return success ? 'success' : 'failure';
  if (what === 'reclaimed') return 'lost';
  return what === 'declined' && token !== undefined ? 'declined' : undefined;
}

function addGauges(register: Registry, counts: () => LockCounts): void {
  const gauge = (name: string, help: string, read: (counts: LockCounts) => number) =>
    new Gauge({
      name: `layerpull_${name}`,
      help,
      registers: [register],
      collect() {
        this.set(read(counts()));
      },
    });
  gauge('sessions', 'Sessions that are open.', ({ sessions }) => sessions);
  gauge('lock_held', 'Locks that are held.', ({ held }) => held);
  gauge('lock_waiting', 'Requests that wait.', ({ waiting }) => waiting);
  gauge(
    'lock_longest_queue',
    'Requests that wait for the resource with the most of them.',
    (all) => all.longestQueue,
  );
}

function addClusterFigures(register: Registry, figures: () => ClusterFigures): void {
  const registers = [register];
  new Gauge({
    name: 'layerpull_etcd_seats',
    help: 'Lock servers that live, this one too.',
    registers,
    collect() {
      this.set(figures().seats);
    },
  });
  new Gauge({
    name: 'layerpull_etcd_apply_lag_seconds',
    help: 'From the writing of the last entry of this server until it was applied here.',
    registers,
    collect() {
      this.set(figures().applyLagMs / 1_000);
    },
  });
  new Counter({
    name: 'layerpull_etcd_entries_total',
    help: 'Entries that this server wrote.',
    registers,
    collect() {
      this.reset();
      this.inc(figures().entriesWritten);
    },
  });
}
