import { once } from 'node:events';
import { LayerpullError } from '../../src/core/errors.ts';
import { toToken } from '../../src/core/ids.ts';
import type { LockService } from '../../src/lock/backends/engine/engine.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { Locks } from '../../src/lock/locks.ts';
import type { FakeClock } from './fake-clock.ts';

export interface RestartableLocks extends Locks {
  /** Nobody reaches the service, and streams break. */
  cut(): void;
  mend(): void;
  /** Streams break; all else goes on. */
  breakStreams(): void;
  /** Streams break and none begins until they are allowed again. */
  refuseStreams(): void;
  allowStreams(): void;
  /** Nothing is answered any more, and streams are silent. */
  hang(): void;
  /** Calls of this name are done, and their answers get lost. */
  loseReplies(name: string): void;
  /** The service starts again and remembers nothing. */
  restart(): Promise<void>;
  /** Calls so far, by name. */
  readonly calls: string[];
}

/** A lock service in memory with a line to it that a test can cut. */
export function createRestartableLocks(clock: FakeClock): RestartableLocks {
  let life = 1;
  let service: LockService = createMemoryLocks({ clock, recoveryMs: 0 });
  let isCut = false;
  let isHanging = false;
  const lost = new Set<string>();
  let areStreamsRefused = false;
  let streams = new AbortController();
  const calls: string[] = [];

  const through = async <T>(name: string, work: (locks: Locks) => Promise<T>): Promise<T> => {
    calls.push(name);
    if (isCut) throw unreachable();
    if (isHanging) return await new Promise<never>(() => {});
    const reply = await work(service);
    return lost.has(name) ? await new Promise<never>(() => {}) : reply;
  };
  async function* stream<T>(
    work: (locks: Locks, signal: AbortSignal) => AsyncIterable<T>,
    signal: AbortSignal,
  ) {
    calls.push('stream');
    if (isCut || areStreamsRefused) throw unreachable();
    const broken = streams.signal;
    const ended = AbortSignal.any([signal, broken]);
    for await (const event of work(service, ended)) {
      if (isHanging) await once(ended, 'abort');
      if (ended.aborted) break;
      yield event;
    }
    if (broken.aborted && !signal.aborted) throw unreachable();
  }
  const breakStreams = () => {
    streams.abort();
    streams = new AbortController();
  };

  return {
    calls,
    breakStreams,
    cut: () => {
      isCut = true;
      breakStreams();
    },
    mend: () => {
      isCut = false;
      isHanging = false;
      lost.clear();
    },
    loseReplies: (name) => void lost.add(name),
    refuseStreams: () => {
      areStreamsRefused = true;
      breakStreams();
    },
    allowStreams: () => {
      areStreamsRefused = false;
    },
    hang: () => {
      isHanging = true;
    },
    restart: async () => {
      await service.close();
      life += 1;
      service = createMemoryLocks({ clock, firstToken: toToken(life * 1_000) });
      breakStreams();
    },
    openSession: (request) => through('openSession', (locks) => locks.openSession(request)),
    closeSession: (id) => through('closeSession', (locks) => locks.closeSession(id)),
    renew: (id, heartbeat) => through('renew', (locks) => locks.renew(id, heartbeat)),
    acquire: (request, signal) => through('acquire', (locks) => locks.acquire(request, signal)),
    release: (request) => through('release', (locks) => locks.release(request)),
    decline: (request) => through('decline', (locks) => locks.decline(request)),
    sources: (request) => through('sources', (locks) => locks.sources(request)),
    status: (request) => through('status', (locks) => locks.status(request)),
    nodes: () => through('nodes', (locks) => locks.nodes()),
    list: (query) => through('list', (locks) => locks.list(query)),
    watch: (id, signal) => stream((locks, any) => locks.watch(id, any), signal),
    watchResource: (type, id, signal) => stream((locks, any) => locks.watchResource(type, id, any), signal),
    close: () => service.close(),
  };
}

function unreachable(): LayerpullError {
  return new LayerpullError('lock_unreachable', 'cannot reach the lock server: connection refused');
}
