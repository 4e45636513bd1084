import type { TestedServer } from './tested-server.ts';

/** What a round tests: one lock server, or several of one service. */
export interface TestedService {
  /** Of `layerpull serve`, beside its times. */
  readonly args: readonly string[];
  /** How many servers are started with them. Default 1. */
  readonly count?: number;
  /** What else goes wrong now and then, beside what befalls servers and connections. */
  readonly mishaps?: (servers: readonly TestedServer[]) => readonly Mishap[];
}

/** Something that goes wrong by chance, and is well again when it is done. */
export interface Mishap {
  /** How likely it is among the others. */
  readonly weight: number;
  /** Shorter when the signal aborts. @param note for people: what goes wrong */
  run(note: (text: string) => void, signal: AbortSignal): Promise<void>;
}
