import { abortable, type Deferred, deferred, withDeadline } from '../../../core/abort.ts';
import type { Clock } from '../../../core/clock.ts';
import { LayerpullError, messageOf } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { ClusterFigures } from '../../cluster-figures.ts';
import { movesMs, pingMs } from '../engine/engine.ts';
import type { Observe } from '../engine/teller.ts';
import type { Etcd, EtcdEntry } from './client/etcd.ts';
import { Copy } from './copy.ts';
import { Departed } from './departed.ts';
import { follow } from './follower.ts';
import type { Loaded } from './loader.ts';
import { Outage } from './outage.ts';
import type { ClusterCommand, SeatId } from './replica/cluster.ts';
import { dueMs } from './replica/materiality.ts';
import { createRequest, type Request, Soon, seatGone } from './requests.ts';
import type { TakenSeat } from './seat.ts';
import { SnapshotKeeper } from './snapshot-keeper.ts';
import { EntryWriter } from './writer.ts';

export interface LifeOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly observe?: Observe | undefined;
  readonly seat: TakenSeat;
  readonly loaded: Loaded;
  /** Entries after which a snapshot is due. */
  readonly snapshotEvery?: number | undefined;
  /** Milliseconds that a request waits for etcd before it is answered that it is away. */
  readonly patienceMs: number;
}

/** How often a server looks what is due, in milliseconds; at least twenty times in a heartbeat. */
const lookMs = 250;
/** Whoever leaves waits so many milliseconds for the others to know: with its lease it ends well within two seconds. */
const lastWordMs = 700;
/** Progress is written at most this often, in milliseconds. */
const soonMs = 1_000;
/** What is to be told later, at most: streams that ended, for the most part. */
const maxUntold = 20_000;
/**
 * Servers let time pass one after the other, this far apart in milliseconds or a twentieth of a heartbeat: mostly only
 * the first one does.
 */
const turnMs = 200;

/** One life of a lock server in its cluster: from the seat that it takes to the one that it loses or gives back. */
export class Life {
  readonly copy: Copy;
  readonly #options: LifeOptions;
  readonly #outage: Outage;
  readonly #writer: EntryWriter;
  readonly #keeper: SnapshotKeeper;
  readonly #soon = new Soon();
  readonly #lost = new AbortController();
  readonly #joined: Deferred<void> = deferred();
  readonly #recovered: Deferred<void> = deferred();
  readonly #departed: Departed;
  #untold: ClusterCommand[] = [];
  #paused: EtcdEntry[] | undefined;
  /** When progress was written last. */
  #soonMs: number;
  #timers: readonly (() => void)[] = [];
  #following: Promise<void> = Promise.resolve();

  constructor(options: LifeOptions) {
    this.#options = options;
    const { etcd, clock, log, observe, seat, loaded, patienceMs } = options;
    const { signal } = this.#lost;
    this.#soonMs = clock.now();
    this.#outage = new Outage({ clock, log, patienceMs });
    const requestsOf = (seq: number) => this.#writer.take(seq);
    const onParted = (why: string) => this.lose(why);
    this.copy = new Copy({ clock, log, observe, seat: seat.id, loaded, requestsOf, onParted });
    const submit = (command: ClusterCommand) => this.submit(command);
    this.#departed = new Departed({ known: this.copy.cluster.seats, submit });
    this.#writer = new EntryWriter({
      ...{ etcd, clock, seat: seat.id, seatRevision: seat.revision, outage: this.#outage, signal },
      timeNow: () => this.copy.time.now(),
      checked: () => this.copy.checked(),
      goAlong: () => this.#takeSoon(),
      onLost: (why) => this.lose(why),
    });
    this.#keeper = new SnapshotKeeper({
      ...{ etcd, clock, log, seat: seat.id, seatRevision: seat.revision, signal },
      ...{ cluster: loaded.cluster, book: loaded.book },
      dueEntries: options.snapshotEvery,
      appliedRevision: () => this.copy.revision,
      pause: () => this.#pause(),
    });
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get seat(): SeatId {
    return this.#options.seat.id;
  }

  /** Aborts when the seat is lost: everything has to be taken up anew. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Settles once the cluster does not recover any more. */
  get recovered(): Promise<void> {
    return this.#recovered.promise;
  }

  /** Why requests are not answered right now. */
  trouble(): string | undefined {
    return this.#outage.trouble();
  }

  /** The same for clients. */
  troubleInShort(): string | undefined {
    return this.#outage.inShort();
  }

  figures(): Omit<ClusterFigures, 'seats'> {
    return { entriesWritten: this.#writer.entries, applyLagMs: this.#writer.lagMs };
  }

  /** Begins to follow the others and takes part. Resolves once it knows all that they do. */
  async begin(): Promise<void> {
    const { clock, loaded, seat } = this.#options;
    this.#following = this.#follow();
    if (seat.lease.lost.aborted) this.lose('its lease ended');
    seat.lease.lost.addEventListener('abort', () => this.lose('its lease ended'), { once: true });
    this.lost.throwIfAborted();
    this.#timers = [
      clock.every(this.#within(lookMs), () => this.#look()),
      clock.every(movesMs, () => this.copy.teller.tellMoves()),
      clock.every(pingMs, () => this.copy.watchers.tellAllSessions({ kind: 'ping' })),
    ];
    this.#onSeats(loaded.seats);
    // What it wrote itself comes back to it behind all that the others wrote before.
    this.#writer.poke();
    await abortable(this.#joined.promise, this.lost);
  }

  /** Puts a command into the order of the cluster, and answers what it came to. @throws `lock_unreachable` */
  async submit(command: ClusterCommand, onApplied?: (reply: unknown) => void): Promise<unknown> {
    return await this.#put(createRequest(command, this.#options.clock.now(), onApplied));
  }

  /**
   * The same for what nobody waits for: tried again until it is known, or the seat is gone. What is on its way is waited
   * for, as one end of a stream that is told twice is the end of two.
   */
  tell(command: ClusterCommand): void {
    this.#put(createRequest(command, Number.POSITIVE_INFINITY)).catch(() => {
      if (!this.lost.aborted && this.#untold.length < maxUntold) this.#untold.push(command);
    });
  }

  /** A heartbeat that only tells progress goes along with what is written next. */
  submitSoon(command: Extract<ClusterCommand, { kind: 'renew' }>): void {
    this.#soon.put(command.sessionId, command);
  }

  /** The seat is lost. Who waits is told so, and all streams break. */
  lose(reason: string): void {
    if (this.lost.aborted) return;
    this.#options.log.warn({ reason }, 'this lock server lost its place among the others');
    this.#end();
  }

  /** Gives the seat back: the others hear at once that its sessions are theirs. Idempotent, never throws. */
  async leave(): Promise<void> {
    const { clock, seat } = this.#options;
    const late = () => away('etcd does not answer');
    const tell = () => this.submit(seatGone(this.seat));
    if (!this.lost.aborted) await withDeadline(clock, lastWordMs, undefined, late, tell).catch(() => {});
    this.copy.watchers.endAll();
    this.#end();
    await this.#keeper.settled();
    await this.#following;
    await seat.lease.close();
  }

  async #put(request: Request): Promise<unknown> {
    this.lost.throwIfAborted();
    const trouble = this.troubleInShort();
    if (trouble !== undefined) throw away(trouble);
    this.#writer.add(request);
    return await request.answer.promise;
  }

  #end(): void {
    for (const stop of this.#timers) stop();
    const error = away('the lock server lost its place among the others');
    this.#lost.abort(error);
    this.copy.watchers.breakAll(error);
    this.#writer.giveUp(Number.POSITIVE_INFINITY, () => error);
    this.#recovered.promise.catch(() => {});
    this.#recovered.reject(error);
  }

  async #follow(): Promise<void> {
    const { etcd, clock, log, loaded } = this.#options;
    try {
      await follow({
        ...{ etcd, clock, log, outage: this.#outage, revision: loaded.revision, signal: this.lost },
        appliedRevision: () => this.copy.revision,
        onEntry: (entry) => this.#onEntry(entry),
        onDeleted: (key) => loaded.book.deleted(key),
        onSeatGone: (seat) => this.#onSeatGone(seat),
        onSeats: (seats) => this.#onSeats(seats),
      });
    } catch (error) {
      this.lose(messageOf(error));
    }
  }

  /** What comes meanwhile is applied afterwards, in its order. */
  #pause(): () => void {
    const waiting: EtcdEntry[] = [];
    this.#paused = waiting;
    return () => {
      this.#paused = undefined;
      for (const entry of waiting) this.#onEntry(entry);
    };
  }

  #onEntry(entry: EtcdEntry): void {
    if (this.lost.aborted) return;
    if (this.#paused) {
      this.#paused.push(entry);
      return;
    }
    const applied = this.copy.apply(entry);
    if (applied?.seat === this.seat) this.#joined.resolve();
    if (!this.copy.cluster.machine.isRecovering) this.#recovered.resolve();
    this.#keeper.consider();
  }

  #onSeatGone(seat: SeatId): void {
    if (seat === this.seat) {
      this.lose('its lease ended');
      return;
    }
    this.#departed.add(seat);
    if (!this.#paused) this.#departed.tell();
  }

  #onSeats(seats: ReadonlySet<SeatId>): void {
    for (const seat of this.#departed.missed(seats, this.#paused ?? [])) this.#onSeatGone(seat);
  }

  #takeSoon(): Request[] {
    this.#soonMs = this.#options.clock.now();
    return this.#soon.takeAll().map((command) => createRequest(command, this.#soonMs));
  }

  #look(): void {
    const { clock, patienceMs } = this.#options;
    const nowMs = clock.now();
    // Who only listens would not notice before its next heartbeat; another server may do better.
    if (this.#outage.look())
      this.copy.watchers.breakAll(away(this.#outage.inShort() ?? 'etcd does not answer'));
    if (this.#outage.inShort() === undefined)
      for (const command of this.#untold.splice(0)) this.tell(command);
    this.#writer.giveUp(nowMs - patienceMs, () => away('etcd does not answer'));
    if (!this.#paused) this.#departed.tell();
    const homes = this.copy.cluster.seats.get(this.seat)?.homes ?? [];
    for (const quiet of this.copy.hearing.quiet(homes, nowMs))
      void this.submit({ kind: 'session-quiet', ...quiet }).catch(() => {});
    // Whether etcd takes entries again shows only by one.
    const isSoonDue = (this.#soon.size > 0 || this.#outage.has('entries')) && nowMs - this.#soonMs >= soonMs;
    if (this.#writer.isIdle && (isSoonDue || this.#isTimeDue())) this.#writer.poke();
  }

  #isTimeDue(): boolean {
    const due = dueMs(this.copy.cluster);
    if (due === undefined) return false;
    const turn = Math.max(0, [...this.copy.cluster.seats.keys()].indexOf(this.seat));
    return this.copy.idleMs() >= due + turn * this.#within(turnMs);
  }

  /** A gap of a heartbeat is taken for a pause of all servers: what keeps it from that is far shorter. */
  #within(ms: number): number {
    return Math.min(ms, this.copy.cluster.machine.options.heartbeatMs / 20);
  }
}

function away(why: string): LayerpullError {
  return new LayerpullError('lock_unreachable', why, {
    hint: 'ask again, or ask another lock server',
    retryAfterMs: 1_000,
  });
}
