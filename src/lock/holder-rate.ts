export interface HolderRateOptions {
  /** Bytes per second below which a holder is slow; 0: none is. */
  readonly minRateBytesPerSecond: number;
  /** Milliseconds over which the rate is measured. */
  readonly minRateWindowMs: number;
}

/** How far a holder was at one moment. */
export interface HolderSample {
  readonly nowMs: number;
  /** Whoever holds: another one starts a new window. */
  readonly holder: string;
  /** Bytes; `total` is 0 for a holder that never tells. */
  readonly offset: number;
  readonly total: number;
}

/** Samples kept per window: finer steps tell nothing more. */
const samplesPerWindow = 64;

/**
 * Watches how fast a holder brings its bytes, as whoever waits behind it is told. It is slow when it was below the rate
 * over the whole window. One that has all its bytes is finishing and never slow; one that never tells how much there is
 * is slow only when it stood still.
 */
export class HolderRate {
  readonly #options: HolderRateOptions;
  #holder: string | undefined;
  /** In order; all but the first are younger than the window. */
  #samples: HolderSample[] = [];

  constructor(options: HolderRateOptions) {
    this.#options = options;
  }

  /** Takes a sample. Answers the bytes per second of a holder that is slow, else undefined. */
  slowRate(sample: HolderSample): number | undefined {
    const { minRateBytesPerSecond, minRateWindowMs } = this.#options;
    if (minRateBytesPerSecond <= 0) return undefined;
    this.#keep(sample);
    const [oldest = sample] = this.#samples;
    const elapsedMs = sample.nowMs - oldest.nowMs;
    if (elapsedMs < minRateWindowMs || isFinishing(sample)) return undefined;
    const rate = ((sample.offset - oldest.offset) * 1_000) / elapsedMs;
    const isSlow = sample.total > 0 ? rate < minRateBytesPerSecond : rate === 0;
    return isSlow ? rate : undefined;
  }

  /** Starts over: nobody holds, or nobody waits behind the holder any more. */
  reset(): void {
    this.#holder = undefined;
    this.#samples = [];
  }

  #keep(sample: HolderSample): void {
    const last = this.#samples.at(-1);
    // Fewer bytes than before are another attempt.
    if (sample.holder !== this.#holder || (last && sample.offset < last.offset)) this.reset();
    this.#holder = sample.holder;
    this.#forgetOld(sample.nowMs);
    const stepMs = this.#options.minRateWindowMs / samplesPerWindow;
    const newest = this.#samples.at(-1);
    if (!newest || sample.nowMs - newest.nowMs >= stepMs) this.#samples.push(sample);
  }

  /** The newest sample of those that are as old as the window stays: it is where the window begins. */
  #forgetOld(nowMs: number): void {
    const sinceMs = nowMs - this.#options.minRateWindowMs;
    const begin = this.#samples.findLastIndex((sample) => sample.nowMs <= sinceMs);
    if (begin > 0) this.#samples.splice(0, begin);
  }
}

function isFinishing({ offset, total }: HolderSample): boolean {
  return total > 0 && offset >= total;
}
