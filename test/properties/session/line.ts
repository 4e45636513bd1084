import type fc from 'fast-check';
import { abortable } from '../../../src/core/abort.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { toToken } from '../../../src/core/ids.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import type { Locks } from '../../../src/lock/locks.ts';
import type { FakeClock } from '../../support/fake-clock.ts';

/** What becomes of a message: a request or an answer gets lost (the caller notices), an event gets lost (nobody does). */
export type Fate = 'ok' | 'lose-request' | 'lose-answer' | 'drop-event' | 'break-stream';

export interface Line extends Locks {
  /** From now on nothing gets lost. */
  mend(): void;
  breakStreams(): void;
  /** The service starts again and remembers nothing. */
  restart(): Promise<void>;
  /** The service itself, without the line. */
  service(): Locks;
}

/**
 * A lock service behind a line on which the scheduler decides what arrives when. What was sent arrives also when whoever
 * sent it has given up. The events of one stream come in order; requests, answers and other streams overtake them.
 */
export function createLine(clock: FakeClock, scheduler: fc.Scheduler, fates: readonly Fate[]): Line {
  let life = 1;
  let service = createMemoryLocks({ clock, recoveryMs: 0 });
  let left = [...fates];
  let streams = new AbortController();

  const fate = (): Fate => left.shift() ?? 'ok';
  const arrival = (what: string) => scheduler.schedule(Promise.resolve(), what);
  const call = async <T>(what: string, work: (locks: Locks) => Promise<T>): Promise<T> => {
    const destiny = fate();
    await arrival(what);
    if (destiny === 'lose-request') throw broken();
    const answer = await work(service).then(
      (value) => () => value,
      (error) => () => {
        throw error;
      },
    );
    await arrival(`answer to ${what}`);
    if (destiny === 'lose-answer') throw broken();
    return answer();
  };

  async function* stream<T extends object>(
    work: (signal: AbortSignal) => AsyncIterable<T>,
    signal: AbortSignal,
  ) {
    const cut = streams.signal;
    const ended = AbortSignal.any([signal, cut]);
    const arrived = (what: string) => abortable(arrival(what), ended).catch(() => {});
    await arrived('watch');
    for await (const event of ended.aborted ? [] : work(ended)) {
      const kind = 'kind' in event ? event.kind : 'of a resource';
      const destiny = kind === 'ping' ? 'ok' : fate();
      await arrived(`event ${kind}`);
      if (ended.aborted || destiny === 'break-stream') break;
      if (destiny !== 'drop-event') yield event;
    }
    if (!signal.aborted) throw broken();
  }

  const breakStreams = () => {
    streams.abort();
    streams = new AbortController();
  };
  return {
    breakStreams,
    service: () => service,
    mend: () => {
      left = [];
    },
    restart: async () => {
      await service.close();
      life += 1;
      service = createMemoryLocks({ clock, firstToken: toToken(life * 1_000) });
      breakStreams();
    },
    openSession: (request) => call('openSession', (locks) => locks.openSession(request)),
    closeSession: (id) => call('closeSession', (locks) => locks.closeSession(id)),
    renew: (id, heartbeat) => call('renew', (locks) => locks.renew(id, heartbeat)),
    acquire: (request) => call('acquire', (locks) => locks.acquire(request)),
    release: (request) => call('release', (locks) => locks.release(request)),
    decline: (request) => call('decline', (locks) => locks.decline(request)),
    sources: (request) => call('sources', (locks) => locks.sources(request)),
    status: (request) => call('status', (locks) => locks.status(request)),
    list: (query) => call('list', (locks) => locks.list(query)),
    nodes: () => call('nodes', (locks) => locks.nodes()),
    watch: (id, signal) => stream((ended) => service.watch(id, ended), signal),
    watchResource: (type, id, signal) => stream((ended) => service.watchResource(type, id, ended), signal),
    close: () => service.close(),
  };
}

function broken(): LayerpullError {
  return new LayerpullError('lock_unreachable', 'the line is broken');
}
