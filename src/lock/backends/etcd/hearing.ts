import type { SessionId } from '../../../core/ids.ts';

export interface HearingOptions {
  /** Longer than between two heartbeats: who says nothing for so long is cut off or stopped. */
  readonly quietMs: number;
  /** Longest regular gap between two looks; a longer one means that this process was stopped. */
  readonly gapMs: number;
}

/** A session of which nothing was heard for so many milliseconds. */
export interface Quiet {
  readonly sessionId: SessionId;
  readonly silentMs: number;
}

/** When this server heard its sessions last, by its own clock. */
export class Hearing {
  readonly #options: HearingOptions;
  readonly #heardMs = new Map<SessionId, number>();
  #lookedMs: number;

  constructor(options: HearingOptions, nowMs: number) {
    this.#options = options;
    this.#lookedMs = nowMs;
  }

  /** Sessions of which it knows when they were heard. */
  get size(): number {
    return this.#heardMs.size;
  }

  heard(sessionId: SessionId, nowMs: number): void {
    this.#heardMs.set(sessionId, nowMs);
  }

  forget(sessionId: SessionId): void {
    this.#heardMs.delete(sessionId);
  }

  /**
   * Those of the sessions that are quiet, each told once. One that comes here for the first time counts as heard; a
   * server that was stopped itself could hear nobody, and gives all their whole time once more.
   */
  quiet(sessions: Iterable<SessionId>, nowMs: number): Quiet[] {
    const wasStopped = nowMs - this.#lookedMs > this.#options.gapMs;
    this.#lookedMs = nowMs;
    const quiet: Quiet[] = [];
    for (const id of sessions) {
      const heardMs = wasStopped ? undefined : this.#heardMs.get(id);
      if (heardMs === undefined) this.#heardMs.set(id, nowMs);
      else if (nowMs - heardMs >= this.#options.quietMs)
        quiet.push({ sessionId: id, silentMs: Math.round(nowMs - heardMs) });
    }
    // Should it not get through, they are told again after as long once more.
    for (const { sessionId } of quiet) this.#heardMs.set(sessionId, nowMs);
    return quiet;
  }
}
