import path from 'node:path';
import type { Clock } from '../core/clock.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { Shelf } from '../store/shelf.ts';
import { contentHandlers } from './calls.ts';
import { Catalog } from './catalog.ts';
import type { Flights } from './flight-port.ts';
import { GrpcServer } from './grpc/server.ts';
import { KnownBlobs } from './known-blobs.ts';
import { OpenBlobs } from './open-blobs.ts';
import { RawIngests } from './raw-ingests.ts';
import { ContentCalls } from './service.ts';
import { type SocketPlace, takeSocket } from './socket.ts';
import { Writers } from './writers.ts';

/** Newer containerds send 8 MiB at once. */
const maxMessageBytes = 20 * 1_048_576;

export interface ContentServiceOptions {
  /** Path of the Unix socket. One that a dead process left is taken over. */
  readonly socket: string;
  /** Of this containerd alone. The caller closes it, after the service. */
  readonly shelf: Shelf;
  /** Brings blobs of images. The caller closes it, after the service. */
  readonly flights: Flights;
  readonly clock: Clock;
  readonly log?: Log;
}

export interface ContentService {
  /** Takes no more calls, ends the streams, keeps what can be gone on with, removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves containerd's content service, version 1, to one containerd.
 *
 * @throws LayerpullError `address_in_use`, `usage` for a socket that cannot be, `store_*`
 */
export async function startContentService(options: ContentServiceOptions): Promise<ContentService> {
  const place = await takeSocket(options.socket);
  try {
    return await serve(options, place);
  } catch (error) {
    await place.close();
    throw error;
  }
}

async function serve(options: ContentServiceOptions, place: SocketPlace): Promise<ContentService> {
  const { shelf, flights, clock, log = silentLog } = options;
  const catalog = new Catalog({ shelf, clock, log });
  const ingests = new RawIngests({ folder: path.join(shelf.folder, 'ingest'), clock, log });
  await Promise.all([catalog.load(), ingests.load()]);
  const known = new KnownBlobs({ shelf, entries: () => catalog.entries(), log });
  const open = new OpenBlobs(shelf);
  const writers = new Writers({ shelf, catalog, ingests, known, flights, clock, log });
  const calls = new ContentCalls({ catalog, open, writers });
  const handlers = contentHandlers({ calls, writers, log });
  const server = new GrpcServer({ handlers, maxMessageBytes, clock });
  await server.listen(place.draft);
  await place.publish();
  let closing: Promise<void> | undefined;
  const close = async () => {
    await writers.close();
    await server.close();
    open.close();
    await place.close();
  };
  return {
    close() {
      closing ??= close();
      return closing;
    },
  };
}
