import type { Clock } from '../../../core/clock.ts';
import { isLayerpullError, LayerpullError } from '../../../core/errors.ts';
import { pauseBefore } from '../../../core/retry.ts';
import type { Etcd } from './client/etcd.ts';
import { keys } from './keys.ts';
import type { Outage } from './outage.ts';
import type { Checked, SeatId } from './replica/cluster.ts';
import { encodeEntry } from './replica/entry.ts';
import type { Request } from './requests.ts';

/** Commands of one entry, at most, and how long their text may be: etcd takes 1.5 MiB in one request. */
const maxCommands = 500;
const maxBytes = 524_288;

/**
 * Milliseconds until a member of etcd is given up. One that hands writes on to a leader that died says nothing until it
 * notices; an entry that is tried twice is done once.
 */
const tryMs = 1_000;

export interface WriterOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly seat: SeatId;
  /** Of the seat's key: who lost it writes nothing any more. */
  readonly seatRevision: number;
  /** Time of the cluster. */
  readonly timeNow: () => number;
  /** What this server came to last. */
  readonly checked: () => Checked;
  /** Requests that nobody waits for and that go along, before all others. */
  readonly goAlong: () => readonly Request[];
  readonly outage: Outage;
  /** The seat is gone, or has to be given up, for this reason. */
  readonly onLost: (why: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes what one server does as entries: what comes while one is on its way goes with the next. An entry whose fate is
 * not known is written again under its number until it is: it is done once.
 */
export class EntryWriter {
  readonly #options: WriterOptions;
  #waiting: Request[] = [];
  readonly #written = new Map<number, { readonly requests: readonly Request[]; readonly atMs: number }>();
  #seq = 0;
  #isWanted = false;
  #isWriting = false;
  #entries = 0;
  #lagMs = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Entries that were written. */
  get entries(): number {
    return this.#entries;
  }

  /** Milliseconds from the writing of the last entry that came back until it did. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** Neither waits anything nor is anything on its way. */
  get isIdle(): boolean {
    return !this.#isWriting && this.#written.size === 0;
  }

  add(request: Request): void {
    this.#waiting.push(request);
    this.#begin();
  }

  /** An entry without commands: time passes. */
  poke(): void {
    this.#isWanted = true;
    this.#begin();
  }

  /** The requests of an entry that came back; each but once. */
  take(seq: number): readonly Request[] {
    const written = this.#written.get(seq);
    this.#written.delete(seq);
    if (written) this.#lagMs = this.#options.clock.now() - written.atMs;
    return written?.requests ?? [];
  }

  /** Gives up what came until then; what is on its way may still be done. */
  giveUp(untilMs: number, error: () => Error): void {
    const isLate = ({ addedMs }: Request) => addedMs <= untilMs;
    const late = this.#waiting.filter(isLate);
    if (late.length > 0) this.#waiting = this.#waiting.filter((request) => !isLate(request));
    for (const request of late) request.answer.reject(error());
    for (const { requests } of this.#written.values()) {
      for (const request of requests) if (isLate(request)) request.answer.reject(error());
    }
  }

  #begin(): void {
    if (this.#isWriting || this.#options.signal.aborted) return;
    this.#isWriting = true;
    // What else comes in the same turn of the event loop goes along.
    queueMicrotask(() => {
      void this.#writeAll().finally(() => {
        this.#isWriting = false;
        if (this.#waiting.length > 0 || this.#isWanted) this.#begin();
      });
    });
  }

  async #writeAll(): Promise<void> {
    while ((this.#waiting.length > 0 || this.#isWanted) && !this.#options.signal.aborted) {
      this.#isWanted = false;
      await this.#write([...this.#options.goAlong(), ...this.#waiting.splice(0, maxCommands)]);
    }
  }

  async #write(taken: readonly Request[]): Promise<void> {
    const { seat, timeNow, checked } = this.#options;
    const requests = this.#fitting(taken);
    const seq = this.#seq + 1;
    const commands = requests.map(({ command }) => command);
    const text = encodeEntry({ seat, seq, atMs: timeNow(), checked: checked(), commands });
    this.#written.set(seq, { requests, atMs: this.#options.clock.now() });
    this.#seq = seq;
    const refused = await this.#put(seq, text);
    if (refused === undefined) {
      this.#entries += 1;
      return;
    }
    // Refused for certain, or the seat is given up: the next one takes its number, for a gap is taken for a lost entry.
    this.#written.delete(seq);
    this.#seq = seq - 1;
    for (const request of requests) request.answer.reject(refused);
  }

  /** As many as one entry takes; the others stay first in line. */
  #fitting(taken: readonly Request[]): readonly Request[] {
    let bytes = 0;
    const end = taken.findIndex(({ command }, index) => {
      bytes += Buffer.byteLength(JSON.stringify(command));
      return bytes > maxBytes && index > 0;
    });
    if (end < 0) return taken;
    this.#waiting.unshift(...taken.slice(end));
    return taken.slice(0, end);
  }

  /** Until it is done, or for certain not: then why. Where that is not to be had, the seat is given up. */
  async #put(seq: number, value: string): Promise<Error | undefined> {
    const { clock, signal, outage, onLost } = this.#options;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        const problem = await this.#tryPut(seq, value);
        outage.over('entries');
        if (problem === undefined) return undefined;
        onLost(problem);
        return lostSeat();
      } catch (error) {
        if (signal.aborted) break;
        outage.met('entries', error);
        if (!isLayerpullError(error) || error.code !== 'etcd_unreachable') {
          if (failures > 0) {
            // An earlier try may have done it, so nothing else can be written under its number.
            onLost('etcd refused to say what became of an entry');
            return lostSeat();
          }
          const isThere = await this.#isThere(seq);
          if (isThere) return undefined;
          if (isThere === false) return refusal(error);
        }
        await clock
          .sleep(pauseBefore(failures, { delayMs: 50, factor: 2, maxDelayMs: 250 }), signal)
          .catch(() => {});
      }
    }
    return lostSeat();
  }

  /**
   * Whether an entry was written that etcd says it refused: it does what takes the last of its space, and says then that
   * there was none. Undefined where it does not say.
   */
  async #isThere(seq: number): Promise<boolean | undefined> {
    const { etcd, seat, signal } = this.#options;
    try {
      return (await etcd.list(keys.entry(seat, seq), { signal })).entries.length > 0;
    } catch {
      return undefined;
    }
  }

  /** Why this seat writes nothing more: it is gone, or etcd was restored and tells of no change for long. */
  async #tryPut(seq: number, value: string): Promise<string | undefined> {
    const { etcd, seat, seatRevision, signal, checked } = this.#options;
    const key = keys.entry(seat, seq);
    const known = checked().revision;
    const { succeeded, found, revision } = await etcd.transact(
      {
        compare: [
          { kind: 'created-at', key: keys.seat(seat), revision: seatRevision },
          { kind: 'absent', key },
        ],
        success: [{ kind: 'put', key, value }],
        failure: [
          { kind: 'get', key: keys.seat(seat) },
          { kind: 'get', key },
        ],
        withinMs: tryMs,
      },
      signal,
    );
    if (revision < known) return 'etcd went back to an older state';
    if (succeeded) return undefined;
    const [ownSeat, entry] = found;
    // An earlier try did it. Where its key is gone while the seat is there, a snapshot has it already.
    const isDone = entry !== undefined || ownSeat?.createRevision === seatRevision;
    return isDone ? undefined : 'its seat is gone';
  }
}

function lostSeat(): LayerpullError {
  return new LayerpullError('lock_unreachable', 'this lock server lost its place among the others', {
    hint: 'ask again: it takes a new one',
    retryAfterMs: 1_000,
  });
}

function refusal(error: unknown): LayerpullError {
  // Why is for those who run the server: its log and its readiness say it.
  return new LayerpullError('lock_unreachable', 'etcd takes no entries', {
    cause: error,
    retryAfterMs: 1_000,
  });
}
