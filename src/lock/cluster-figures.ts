/** How far one of several lock servers is with what all of them agree on. */
export interface ClusterFigures {
  /** Lock servers that live, this one too. */
  readonly seats: number;
  /** Entries that this server wrote since it started. */
  readonly entriesWritten: number;
  /** Milliseconds from the writing of the last entry of this server until it was applied here. */
  readonly applyLagMs: number;
}
