/** A place in the pool of concurrent downloads. */
export interface Slot {
  /** Gives the place back; idempotent. */
  release(): void;
}

/** A bounded pool. `granted` requests are served before `fresh` ones, each in order of arrival. */
export interface Slots {
  take(priority: 'fresh' | 'granted', signal: AbortSignal): Promise<Slot>;
}
