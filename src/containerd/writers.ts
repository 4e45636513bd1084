import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Log, silentLog } from '../core/log.ts';
import { alreadyExists, digestIn } from './catalog.ts';
import type { Flights, FlightWriter } from './flight-port.ts';
import { FlightSession } from './flight-session.ts';
import type { IncomingWrite } from './proto/messages.ts';
import { RawWriter, type RawWriterParts } from './raw-writer.ts';
import type { Progress, RefWriter } from './ref-writer.ts';
import { refuseWrongRef } from './refs.ts';
import { Refusal } from './refusal.ts';
import { lengthOf, WriteSession } from './write-session.ts';

export interface WritersParts extends RawWriterParts {
  readonly flights: Flights;
  readonly clock: Clock;
  readonly log?: Log;
}

const maxTold = 1_000;

/** Who writes which ref: one stream at a time. */
export class Writers {
  readonly #parts: WritersParts;
  readonly #log: Log;
  readonly #sessions = new Map<string, WriteSession>();
  /** Refs whose content is here, as their clients were told. */
  readonly #told = new Set<string>();
  #isClosed = false;

  constructor(parts: WritersParts) {
    this.#parts = parts;
    this.#log = parts.log ?? silentLog;
  }

  /**
   * Takes the ref of a stream's first message. Never waits for another node or another stream.
   *
   * @param tell called when somebody else ends the stream
   * @throws Refusal `unavailable` while another stream or another node writes it, `alreadyExists`; LayerpullError
   */
  async open(first: IncomingWrite, tell: (error: unknown) => void): Promise<WriteSession> {
    const { ref } = first;
    refuseWrongRef(ref);
    if (this.#isClosed) throw ending();
    if (this.#sessions.has(ref)) throw locked(ref, 'another stream writes it');
    const session = new WriteSession({
      ref,
      catalog: this.#parts.catalog,
      tell,
      discard: async () => void (await this.#parts.ingests.remove(ref)),
      onClose: () => this.#sessions.delete(ref),
    });
    this.#sessions.set(ref, session);
    await session.begin(() => this.#choose(first));
    return session;
  }

  /** Ends whoever writes the ref, and removes what is there. @throws Refusal `notFound` */
  async abort(ref: string): Promise<void> {
    const session = this.#sessions.get(ref);
    await session?.abort(new Refusal('aborted', `the ingest ${ref} was aborted`), 'discard');
    const wasThere = await this.#parts.ingests.remove(ref);
    if (!session && !wasThere) throw unknownRef(ref);
    this.#log.info({ ref }, 'ingest aborted');
  }

  /** @throws Refusal `notFound` */
  status(ref: string): Progress {
    const progress = this.#sessions.get(ref)?.progress() ?? this.#parts.ingests.get(ref);
    if (!progress) throw unknownRef(ref);
    return progress;
  }

  statuses(): Progress[] {
    const active = [...this.#sessions.values()].map((one) => one.progress());
    const all = [...active.filter((one) => one !== undefined), ...this.#parts.ingests.states()];
    return [...new Map(all.reverse().map((one) => [one.ref, one])).values()];
  }

  /** Ends all streams; what can be gone on with is kept. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.abort(ending(), 'keep')));
    await this.#parts.ingests.close();
  }

  async #choose(first: IncomingWrite): Promise<RefWriter> {
    const { catalog, ingests, known } = this.#parts;
    const { ref, expected } = first;
    const total = first.total > 0 ? lengthOf(first.total, 'total') : 0;
    if (expected !== '' && (await catalog.find(digestIn(expected)))) {
      await ingests.remove(ref);
      throw alreadyExists(expected);
    }
    const startRaw = async () => new RawWriter(this.#parts, await ingests.open(ref, total));
    const descriptor = ingests.get(ref) ? undefined : await known.find(ref, total);
    if (!descriptor) return await startRaw();
    const writer = this.#openFlight(descriptor, first);
    if (!writer) return await startRaw();
    const { clock } = this.#parts;
    return new FlightSession({ ref, descriptor, writer, catalog, clock, startRaw });
  }

  /** Undefined for a client that is to write a blob although it is here. */
  #openFlight(descriptor: Descriptor, first: IncomingWrite): FlightWriter | undefined {
    const { ref } = first;
    const opened = this.#parts.flights.open(descriptor);
    switch (opened.kind) {
      case 'writer':
        return opened.writer;
      case 'wait':
        throw locked(ref, opened.reason);
      case 'failed':
        throw opened.error;
      case 'present':
        if (this.#insists(first)) return undefined;
        throw locked(ref, 'its content is here by now');
    }
  }

  /**
   * When containerd asks again it asks for the blob first, finds it, and opens no writer. One that opens a writer again
   * keeps its name spaces apart, and wants the bytes of each; one that knows no size cannot look for the blob.
   */
  #insists({ ref, expected, total }: IncomingWrite): boolean {
    if (this.#told.delete(ref) || (expected === '' && total <= 0)) return true;
    this.#told.add(ref);
    const [oldest] = this.#told;
    if (this.#told.size > maxTold && oldest) this.#told.delete(oldest);
    return false;
  }
}

function locked(ref: string, reason: string): Refusal {
  return new Refusal('unavailable', `ref ${ref} locked: ${reason}`);
}

function ending(): Refusal {
  return new Refusal('unavailable', 'the content plugin is ending');
}

function unknownRef(ref: string): Refusal {
  return new Refusal('notFound', `ref ${JSON.stringify(ref.slice(0, 160))}: not found`);
}
