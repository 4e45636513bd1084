import type { Change } from '../../machine/changes.ts';

/** Where an engine keeps what must outlive it. Nothing that happened is told before it is kept. */
export interface Journal {
  /** Takes the changes of one step; `tell` runs once they and all before them are kept, in order of arrival. */
  add(changes: readonly Change[], tell: () => void): void;
  /** Settles once all that was added until now is kept; undefined when it is already. Rejects when that failed. */
  kept(): Promise<void> | undefined;
  /** Comes back once all that was added is kept, or failed to be. */
  close(): Promise<void>;
}

/** Keeps nothing: what happened is told at once. */
export const noJournal: Journal = {
  add: (_, tell) => tell(),
  kept: () => undefined,
  close: async () => {},
};
