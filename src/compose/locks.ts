import type { CoordinationConfig } from '../config.ts';
import { systemClock } from '../core/clock.ts';
import { isLayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { createHttpLocks } from '../lock/backends/http/http-locks.ts';
import { createEmbeddedLocks } from '../lock/embedded.ts';
import type { EmbeddedServer, EmbeddedServerOptions } from '../lock/embedded-election.ts';
import type { Locks } from '../lock/locks.ts';
import { tellCopiesApart } from '../lock/store-copies.ts';
import { createSessions } from '../store/sessions.ts';
import { Closers } from './closers.ts';
import { serverLocks } from './trust.ts';

const clock = systemClock;

/** The locks of a server, or of the processes on the store. */
export function coordination(config: CoordinationConfig, store: string, log: Log): Locks {
  const { servers, version } = config;
  if (servers.length > 0) {
    const sessions = createSessions(store, clock.wallNow);
    return tellCopiesApart({ locks: serverLocks(config, log), sessions, clock, log });
  }
  return createEmbeddedLocks({
    store,
    clock,
    log,
    serve: (options) => serveEmbedded(options, asideOf(log)),
    connect: (socketPath, signal) => connectEmbedded(socketPath, version, signal),
  });
}

/** Loaded only by the process that becomes the coordinator; the server only when somebody else comes. */
async function serveEmbedded(options: EmbeddedServerOptions, log: Log): Promise<EmbeddedServer> {
  const { createMemoryLocks } = await import('../lock/backends/memory.ts');
  const { answerDoor } = await import('../lock/server/doorbell.ts');
  const { firstToken, recoveryMs, socketPath } = options;
  const closers = new Closers();
  const locks = closers.add(createMemoryLocks({ clock, log, firstToken, recoveryMs }));
  const load = async () => {
    const { createLockServer } = await import('../lock/server/server.ts');
    return createLockServer({ locks, log, clock });
  };
  closers.add(await answerDoor(socketPath, load));
  return {
    locks,
    hasOtherSessions: () => locks.sessionCount() > 1,
    close: () => closers.close(),
  };
}

/** The locks of the coordinator that listens there, or undefined. */
export async function connectEmbedded(
  socketPath: string,
  version: string,
  signal: AbortSignal,
): Promise<Locks | undefined> {
  const locks = createHttpLocks({ servers: [], socketPath, version, clock, timeouts: { retries: 0 } });
  try {
    await locks.list({ limit: 1 }, signal);
    return locks;
  } catch (error) {
    await locks.close();
    if (isLayerpullError(error)) return undefined;
    throw error;
  }
}

/** Others' locks are not this pull's news: what the coordinator has to say is for those who debug. */
function asideOf(log: Log): Log {
  const debug = (fields: object, message: string) => log.debug(fields, message);
  return { debug, info: debug, warn: debug, error: (fields, message) => log.error(fields, message) };
}
