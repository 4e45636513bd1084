import path from 'node:path';
import { type ContentService, startContentService } from '../../src/containerd/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Log } from '../../src/core/log.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import type { Shelf } from '../../src/store/shelf.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createContentClient } from '../support/content-client.ts';
import { createFakeFlights } from '../support/fake-flights.ts';
import { tempDir } from '../support/temp.ts';

export interface LoggedLine {
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A service on a store of its own, and what speaks with it. `restart` ends it and starts the next on the same files. */
export async function setUpService() {
  const folder = tempDir();
  const socket = path.join(folder, 'content.sock');
  const store = await openStore({ path: path.join(folder, 'store'), clock: systemClock });
  const flights = createFakeFlights(store.blobs);
  const lines: LoggedLine[] = [];
  const log = collectingLog(lines);
  const start = async () => {
    const shelf = await store.shelf('node-a');
    const service = await startContentService({ socket, shelf, flights, clock: systemClock, log });
    const close = () => closeBoth(service, shelf);
    onCleanup(close);
    return { service, shelf, close };
  };
  let running = await start();
  return {
    folder,
    socket,
    store,
    flights,
    lines,
    client: createContentClient(socket),
    shelf: () => running.shelf,
    close: () => running.close(),
    async restart() {
      await running.close();
      running = await start();
    },
  };
}

async function closeBoth(service: ContentService, shelf: Shelf): Promise<void> {
  await service.close();
  await shelf.close();
}

function collectingLog(lines: LoggedLine[]): Log {
  const keep = (fields: object, message: string) => void lines.push({ ...fields, message });
  return { debug: keep, info: keep, warn: keep, error: keep };
}
