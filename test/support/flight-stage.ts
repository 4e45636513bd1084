import { expect, onTestFinished } from 'vitest';
import { createFlights, type FlightsOptions } from '../../src/containerd/flights.ts';
import { blobOf } from './blobs.ts';
import { createFakeBlobStore } from './fake-blob-store.ts';
import { createFakeClock, settle } from './fake-clock.ts';
import { createFakeSessionLocks } from './fake-session-locks.ts';
import { createLineLog } from './flights.ts';

export const layer = blobOf('0123456789abcdef');

/** Flights over a store, locks and a clock of the test's making; in the end nothing of them is left open. */
export function createFlightStage(options: Partial<FlightsOptions> = {}) {
  const clock = createFakeClock();
  const store = createFakeBlobStore();
  const locks = createFakeSessionLocks();
  const { log, lines, messages } = createLineLog();
  const flights = createFlights({ clock, store, locks, log, ...options });
  onTestFinished(async () => {
    await flights.close();
    expect([store.openIngests.count, clock.pending(), locks.held.now]).toEqual([0, 0, 0]);
  });
  /** Asks, and again once the flight has come as far as it can. */
  const open = async () => {
    const first = flights.open(layer);
    if (first.kind !== 'wait') return first;
    await settle();
    return flights.open(layer);
  };
  const linesOf = (message: string) => lines.filter((line) => line.message === message);
  return { clock, store, locks, flights, open, lines, messages, linesOf };
}
