import type { Flights, FlightWriter, Opened } from '../../src/containerd/flight-port.ts';
import { type Deferred, deferred } from '../../src/core/abort.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Digest } from '../../src/core/digest.ts';
import { toSessionId } from '../../src/core/ids.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';

export interface FakeFlights extends Flights {
  /** What the next writers of a blob get, one after the other; then, and without one, a writer. */
  readonly script: Map<Digest, Opened[]>;
  readonly opened: Descriptor[];
  /** Why writers were closed that had not committed. */
  readonly closed: string[];
  /** While set, writers take no byte. */
  hold: Deferred<void> | undefined;
  /** Bytes that writers were given. */
  taken(): number;
}

/** Flights that write into a store, without locks and without other nodes. */
export function createFakeFlights(blobs: BlobStore): FakeFlights {
  const script = new Map<Digest, Opened[]>();
  const opened: Descriptor[] = [];
  const closed: string[] = [];
  let taken = 0;
  const flights: FakeFlights = {
    script,
    opened,
    closed,
    hold: undefined,
    taken: () => taken,
    open(descriptor) {
      opened.push(descriptor);
      const scripted = script.get(descriptor.digest)?.shift();
      return scripted ?? { kind: 'writer', writer: createWriter(descriptor) };
    },
    async close() {},
  };

  const createWriter = (descriptor: Descriptor): FlightWriter => {
    const ingesting = blobs.ingest(descriptor, { session: toSessionId('flight') }, { fresh: true });
    let written = 0;
    let isOver = false;
    return {
      offset: 0,
      written: () => written,
      async write(...pieces) {
        const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
        taken += bytes;
        await flights.hold?.promise;
        for (const piece of pieces) await (await ingesting).write(piece);
        written += bytes;
      },
      async commit() {
        isOver = true;
        await (await ingesting).commit();
      },
      async close(reason = '') {
        if (isOver) return;
        isOver = true;
        closed.push(reason);
        await (await ingesting).close();
      },
    };
  };
  return flights;
}

export const holdBack = () => deferred<void>();
