import { createServer } from 'node:http';
import { composeMirror, type MirrorConfig, type MirrorDeps } from '../../src/compose/mirror.ts';
import { readRegistryConfig } from '../../src/config/registry.ts';
import { systemClock } from '../../src/core/clock.ts';
import { toNodeId } from '../../src/core/ids.ts';
import { silentLog } from '../../src/core/log.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { openLockSession } from '../../src/lock/session.ts';
import type { MirrorDoor } from '../../src/peer/mirror-door.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { onCleanup } from './cleanup.ts';
import { on } from './config.ts';
import { tempDir } from './temp.ts';

export interface RunningTestMirror {
  readonly url: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly store: string;
  close(): Promise<void>;
}

export interface TestMirrorOptions
  extends Partial<Omit<MirrorConfig, 'host'>>,
    Pick<Partial<MirrorDeps>, 'follow' | 'log' | 'door' | 'askOthers'> {
  /** Default: an empty one. */
  readonly store?: string;
  /** As on the command line of a pull. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/** The registry mirror of a node, in this process, on a free port of 127.0.0.1; it ends with the test. */
export async function startMirror(options: TestMirrorOptions = {}): Promise<RunningTestMirror> {
  const {
    store: folder = tempDir(),
    flags = {},
    follow,
    door,
    askOthers,
    log = silentLog,
    ...config
  } = options;
  const clock = systemClock;
  const store = await openStore({ path: folder, clock });
  const service = createMemoryLocks({ clock });
  const nodeId = toNodeId('mirror');
  const locks = openLockSession({ locks: service, nodeId, storeId: store.blobs.storeId, clock });
  const home = tempDir();
  const registry = readRegistryConfig({ 'no-registries-conf': true, ...flags }, on({ home }));
  const mirror = await composeMirror(
    { host: '127.0.0.1', port: 0, node: nodeId, concurrency: 4, asAgent: false, registry, ...config },
    { log, store, locks, follow, door, askOthers },
  );
  const close = async () => {
    await mirror.close();
    await locks.close();
    await service.close();
  };
  onCleanup(close);
  return { url: mirror.url, host: new URL(mirror.url).host, store: folder, close };
}

/** Lets in who shows the token. */
export function tokenDoor(token: string): MirrorDoor {
  return {
    scheme: 'http',
    createServer,
    refuse: ({ headersDistinct }) =>
      headersDistinct['authorization']?.join() === `Bearer ${token}`
        ? undefined
        : { message: 'a token is needed' },
  };
}
