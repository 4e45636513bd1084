import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import { Flight, type FlightParts, type Landed } from './flight.ts';
import type { Flights, Opened } from './flight-port.ts';
import type { WriterBounds } from './writer-source.ts';

export interface FlightBounds extends WriterBounds {
  /** Milliseconds without anybody who asks until a flight is given up. Default 10,000: containerd asks every 2,000. */
  readonly idleMs: number;
  /** Milliseconds that a blob is known to be there, for those who ask again. Default 10,000, for the same reason. */
  readonly keptMs: number;
  /** Milliseconds that a failure is kept for who has not heard of it. Default 3,000: later it may be over. */
  readonly failedMs: number;
}

const defaultBounds = { idleMs: 10_000, keptMs: 10_000, failedMs: 3_000 };

export interface FlightsOptions extends Omit<FlightParts, 'log' | 'writer' | 'idleMs'> {
  /** Gets one line for each step of each blob. Default: nothing is logged. */
  readonly log?: Log;
  readonly bounds?: Partial<FlightBounds>;
}

/** Brings blobs for containerd by the per-layer hook; see the port. */
export function createFlights(options: FlightsOptions): Flights {
  return new LayerFlights(options);
}

interface Ended {
  readonly landed: Exclude<Landed, undefined>;
  readonly untilMs: number;
}

const closed = { kind: 'wait', reason: 'layerpull is ending' } as const;

class LayerFlights implements Flights {
  readonly #parts: FlightParts;
  readonly #keptMs: Readonly<Record<Ended['landed']['kind'], number>>;
  readonly #running = new Map<string, Flight>();
  readonly #ended = new Map<string, Ended>();
  #isClosed = false;

  constructor({ log = silentLog, bounds = {}, ...options }: FlightsOptions) {
    const { idleMs, keptMs, failedMs, ...writer } = { ...defaultBounds, ...bounds };
    this.#parts = { ...options, log, writer, idleMs };
    this.#keptMs = { present: keptMs, failed: failedMs };
  }

  open(descriptor: Descriptor): Opened {
    if (this.#isClosed) return closed;
    const flight = this.#running.get(keyOf(descriptor));
    if (flight) return flight.ask();
    return this.#takeEnd(descriptor) ?? this.#start(descriptor).ask();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const flights = [...this.#running.values()];
    const reason = new LayerpullError('interrupted', closed.reason);
    for (const flight of flights) flight.abort(reason);
    await Promise.all(flights.map(({ landed }) => landed));
  }

  #start(descriptor: Descriptor): Flight {
    const key = keyOf(descriptor);
    const flight = new Flight(descriptor, this.#parts);
    this.#running.set(key, flight);
    void flight.landed.then((landed) => {
      this.#running.delete(key);
      if (!landed) return;
      this.#ended.set(key, { landed, untilMs: this.#parts.clock.now() + this.#keptMs[landed.kind] });
    });
    return flight;
  }

  /** A failure is told once; that the blob is there to all who asked, and may have to wait until they ask again. */
  #takeEnd(descriptor: Descriptor): Landed {
    this.#forgetOld();
    const key = keyOf(descriptor);
    const landed = this.#ended.get(key)?.landed;
    if (landed?.kind === 'failed') this.#ended.delete(key);
    if (landed?.kind === 'present') void this.#lookAgain(descriptor);
    return landed;
  }

  /** What was removed meanwhile is brought anew by whoever asks next. */
  async #lookAgain(descriptor: Descriptor): Promise<void> {
    const isThere = await this.#parts.store.has(descriptor).catch(() => false);
    if (!isThere) this.#ended.delete(keyOf(descriptor));
  }

  #forgetOld(): void {
    const nowMs = this.#parts.clock.now();
    for (const [key, { untilMs }] of this.#ended) if (untilMs <= nowMs) this.#ended.delete(key);
  }
}

/** A manifest that states a wrong size spoils nothing for others. */
function keyOf({ digest, size }: Descriptor): string {
  return `${digest} ${size}`;
}
