import type { Flights, FlightWriter, Opened } from '../../src/containerd/flight-port.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Log } from '../../src/core/log.ts';
import type { TestBlob } from './blobs.ts';

export interface Line {
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A log that keeps its lines. */
export function createLineLog(): { readonly log: Log; readonly lines: Line[]; messages(): string[] } {
  const lines: Line[] = [];
  const keep = (fields: object, message: string) => void lines.push({ ...fields, message });
  return {
    lines,
    log: { debug: keep, info: keep, warn: keep, error: keep },
    messages: () => lines.map(({ message }) => message),
  };
}

export function writerOf(opened: Opened): FlightWriter {
  if (opened.kind !== 'writer') throw new Error(`expected a writer, got ${JSON.stringify(opened)}`);
  return opened.writer;
}

/** Writes the rest of the blob as containerd does, in pieces. */
export async function writeRest(writer: FlightWriter, { bytes }: TestBlob, pieceBytes = 4): Promise<void> {
  for (let start = writer.offset; start < bytes.length; start += pieceBytes)
    await writer.write(bytes.subarray(start, start + pieceBytes));
}

/** Asks until there is an answer, each time after `pause`. */
export async function openAtLast(
  flights: Flights,
  descriptor: Descriptor,
  pause: () => Promise<void>,
): Promise<Exclude<Opened, { kind: 'wait' }>> {
  for (;;) {
    const opened = flights.open(descriptor);
    if (opened.kind !== 'wait') return opened;
    await pause();
  }
}
