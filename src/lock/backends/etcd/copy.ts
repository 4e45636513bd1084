import type { Clock } from '../../../core/clock.ts';
import { LayerpullError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { MachineEvent } from '../../machine/events.ts';
import { quietMs } from '../../machine/troubles.ts';
import { NodeRegistry } from '../../node-registry.ts';
import type { NodeView } from '../../nodes.ts';
import { createTeller, type Observe, type Teller } from '../engine/teller.ts';
import { Watchers } from '../engine/watchers.ts';
import { Checks } from './checks.ts';
import type { EtcdEntry } from './client/etcd.ts';
import { ClusterTime } from './cluster-time.ts';
import { Hearing } from './hearing.ts';
import { type Loaded, readEntry } from './loader.ts';
import { noteNodes, registerNodes } from './node-notes.ts';
import { applyEntry, isFailed, type Reply } from './replica/apply.ts';
import type { Checked, ClusterCommand, ClusterState, Entry, SeatId } from './replica/cluster.ts';
import { heardBy, isHeard } from './replica/seats.ts';
import type { Request } from './requests.ts';

export interface CopyOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly observe?: Observe | undefined;
  readonly seat: SeatId;
  readonly loaded: Loaded;
  /** The requests of an own entry. */
  readonly requestsOf: (seq: number) => readonly Request[];
  /** What is known here is not what the others know, for this reason. */
  readonly onParted: (why: string) => void;
}

/** What one server knows of the cluster, and those whom it tells. */
export class Copy {
  readonly cluster: ClusterState;
  readonly time: ClusterTime;
  readonly hearing: Hearing;
  readonly watchers = new Watchers();
  readonly nodes = new NodeRegistry();
  readonly teller: Teller;
  readonly #options: CopyOptions;
  readonly #checks = new Checks();
  #revision: number;
  #appliedMs: number;

  constructor(options: CopyOptions) {
    this.#options = options;
    const { clock, log, observe, seat, loaded } = options;
    const { cluster } = loaded;
    const { heartbeatMs } = cluster.machine.options;
    this.cluster = cluster;
    this.#revision = loaded.appliedRevision;
    this.#appliedMs = clock.now();
    // While no other server runs nobody else tells the time, and it went on since the last one did.
    const isAlone = [...loaded.seats].every((id) => id === seat);
    this.time = new ClusterTime(clock, isAlone ? Math.max(cluster.atMs, clock.wallNow()) : cluster.atMs);
    this.hearing = new Hearing({ quietMs: quietMs(cluster.machine), gapMs: heartbeatMs }, clock.now());
    this.teller = createTeller({
      ...{
        clock: this.time.asClock(),
        log,
        state: cluster.machine,
        watchers: this.watchers,
        nodes: this.nodes,
      },
      ...(observe ? { observe } : {}),
    });
    registerNodes(this.nodes, cluster.machine, this.time.now());
  }

  /** Of the last entry that was applied. */
  get revision(): number {
    return this.#revision;
  }

  checked(): Checked {
    return { revision: this.#revision, check: this.cluster.check };
  }

  /** Whether what is known here is what all knew a moment ago. */
  isCurrent(): boolean {
    return this.#options.clock.now() - this.#appliedMs < this.cluster.machine.options.heartbeatMs * 1.2;
  }

  /** Heartbeats that another server heard are not known here, but that it would say so if there were none. */
  listNodes(): NodeView[] {
    const mostMs = quietMs(this.cluster.machine);
    const cap = (node: NodeView): NodeView =>
      isHeard(this.cluster, node.sessionId)
        ? { ...node, lastSeenMs: Math.min(node.lastSeenMs, mostMs) }
        : node;
    return this.nodes.list(this.time.now()).map(cap);
  }

  /** Milliseconds in the time of the cluster since its last entry. */
  idleMs(): number {
    return this.time.now() - this.cluster.atMs;
  }

  /** What an entry of the log does. Each is done once; answers what it was, if it could be read. */
  apply({ key, value, modRevision }: EtcdEntry): Entry | undefined {
    if (modRevision <= this.#revision) return undefined;
    const { log, clock, loaded } = this.#options;
    this.#revision = modRevision;
    this.#appliedMs = clock.now();
    loaded.book.wrote(key, modRevision, value.length);
    const entry = readEntry({ key, value }, log);
    if (!entry) return undefined;
    if (this.#misses(entry)) {
      this.#options.onParted('etcd told it nothing of an entry');
      return undefined;
    }
    this.#carryOut(entry);
    this.#checks.note(this.checked());
    if (entry.checked && this.#checks.contradict(entry.checked))
      this.#options.onParted('another server came to something else');
    return entry;
  }

  /** Servers number their entries, and older versions of etcd lose events. */
  #misses({ seat, seq }: Entry): boolean {
    const known = this.cluster.seats.get(seat);
    return known !== undefined && seq > known.lastSeq + 1;
  }

  #carryOut(entry: Entry): void {
    const isOwn = entry.seat === this.#options.seat;
    const requests = isOwn ? this.#options.requestsOf(entry.seq) : [];
    this.time.heard(entry.atMs);
    applyEntry(this.cluster, entry, (index, reply, events) => {
      const command = entry.commands[index];
      if (command) this.#note(command, isOwn);
      for (const event of events) this.#tell(event, isOwn);
      const request = requests[index];
      if (request) answer(request, reply);
    });
  }

  #note(command: ClusterCommand, isOwn: boolean): void {
    const { machine, atMs } = this.cluster;
    noteNodes(this.nodes, command, machine, atMs);
    if (!isOwn || (command.kind !== 'open-session' && command.kind !== 'renew')) return;
    const sessionId = heardBy(command);
    // Of one that is not there nothing would ever say that it ended.
    if (sessionId !== undefined && machine.sessions.has(sessionId))
      this.hearing.heard(sessionId, this.#options.clock.now());
  }

  /** What happened is logged and counted once in the cluster: by the server whose doing it was. */
  #tell(event: MachineEvent, isOwn: boolean): void {
    if (event.kind === 'session-ended') this.hearing.forget(event.sessionId);
    if (event.kind !== 'log' || isOwn) this.teller.tell(event);
  }
}

function answer(request: Request, reply: Reply): void {
  if (isFailed(reply)) {
    request.answer.reject(new LayerpullError('lock_unreachable', `the request failed: ${reply.message}`));
    return;
  }
  request.onApplied(reply);
  request.answer.resolve(reply);
}
