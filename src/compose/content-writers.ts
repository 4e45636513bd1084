import type { Flights, FlightWriter } from '../containerd/flight-port.ts';
import type { MirrorClients } from './mirror.ts';

/** Flights, and how many of containerd's writers are at work. */
export interface CountedFlights extends Flights {
  readonly clients: MirrorClients;
}

/** `flights`, told to let those finish who write and nobody else begin, once `clients` are drained. */
export function countWriters(flights: Flights): CountedFlights {
  const writers = new Set<FlightWriter>();
  let isDraining = false;
  const counted = (writer: FlightWriter): FlightWriter => {
    writers.add(writer);
    const done = () => writers.delete(writer);
    return {
      offset: writer.offset,
      written: () => writer.written(),
      write: (...pieces) => writer.write(...pieces),
      commit: async () => {
        await writer.commit();
        done();
      },
      close: async (reason) => {
        await writer.close(reason).finally(done);
      },
    };
  };
  return {
    open(descriptor) {
      if (isDraining) return { kind: 'wait', reason: 'layerpull is ending' };
      const opened = flights.open(descriptor);
      return opened.kind === 'writer' ? { kind: 'writer', writer: counted(opened.writer) } : opened;
    },
    close: () => flights.close(),
    clients: {
      drain() {
        isDraining = true;
      },
      get isBusy() {
        return writers.size > 0;
      },
      get answers() {
        return writers.size;
      },
    },
  };
}
