import type { CoordinationConfig } from '../config.ts';
import { systemClock } from '../core/clock.ts';
import { isLayerpullError, type LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { createHttpLocks, type HttpLocksTimeouts } from '../lock/backends/http/http-locks.ts';
import { createEmbeddedLocks } from '../lock/embedded.ts';
import { hasAgent } from '../lock/embedded-agent.ts';
import type { EmbeddedServer, EmbeddedServerOptions } from '../lock/embedded-election.ts';
import type { Locks } from '../lock/locks.ts';
import { tellCopiesApart } from '../lock/store-copies.ts';
import { createSessions } from '../store/sessions.ts';
import { Closers } from './closers.ts';
import { serverLocks } from './trust.ts';

const clock = systemClock;

/** The locks that a process uses on its store. */
export interface Coordination {
  readonly locks: Locks;
  /**
   * Who arbitrates: a lock server, the agent of the store (which speaks to a lock server for all, and serves other
   * nodes), or the processes on the store among themselves.
   */
  readonly by: 'server' | 'agent' | 'store';
  /** What messages call them. */
  readonly serverName: string;
  close(): Promise<void>;
}

const names = {
  agent: 'the agent of the store',
  store: 'the process that coordinates the store',
} as const;

/** What messages call the lock servers together. */
export function nameOf(servers: readonly URL[]): string {
  return servers.length > 1 ? `the ${servers.length} lock servers` : 'the lock server';
}

/** How a daemon tells that it does without whoever arbitrates. */
export function warnAlone(log: Log, servers: readonly URL[]): (warning: LayerpullError) => void {
  const what = servers.length > 1 ? 'going on without them' : 'going on without it';
  return ({ code, message, hint }) => log.warn({ code, hint }, `${message}; ${what}`);
}

/**
 * The locks of a server, or of the processes on the store, which are those of its agent where it has one.
 *
 * @param stepsAside for a process that runs as long as the machine: an agent that starts later coordinates in its place
 */
export async function coordination(
  config: CoordinationConfig,
  store: string,
  log: Log,
  stepsAside = false,
): Promise<Coordination> {
  const isAgent = await hasAgent(store);
  if (config.servers.length > 0 && !isAgent) {
    const locks = locksOfServers(config, store, log);
    return { locks, by: 'server', serverName: nameOf(config.servers), close: () => locks.close() };
  }
  const locks = createEmbeddedLocks({
    store,
    clock,
    log,
    stepsAside,
    serve: (options) => serveEmbedded(options, asideOf(log)),
    connect: (socketPath, signal) => connectEmbedded(socketPath, config.version, signal),
  });
  const by = isAgent ? 'agent' : 'store';
  return { locks, by, serverName: names[by], close: () => locks.close() };
}

/** The locks of the servers, for a store that may be a copy of another. */
export function locksOfServers(config: CoordinationConfig, store: string, log: Log): Locks {
  const sessions = createSessions(store, clock.wallNow);
  return tellCopiesApart({ locks: serverLocks(config, log), sessions, clock, log });
}

/** Loaded only by the process that becomes the coordinator. */
async function serveEmbedded(options: EmbeddedServerOptions, log: Log): Promise<EmbeddedServer> {
  const { createMemoryLocks } = await import('../lock/backends/memory.ts');
  const { firstToken, recoveryMs, socketPath } = options;
  const locks = createMemoryLocks({ clock, log, firstToken, recoveryMs });
  const closers = new Closers();
  closers.add(locks);
  closers.add(await openDoor(locks, socketPath, log));
  return {
    locks,
    hasOtherSessions: () => locks.sessionCount() > 1,
    close: () => closers.close(),
  };
}

/** Serves the locks to the processes of the store; the server is loaded when somebody comes. */
export async function openDoor(
  locks: Locks,
  socketPath: string,
  log: Log,
): Promise<{ close(): Promise<void> }> {
  const { answerDoor } = await import('../lock/server/doorbell.ts');
  const load = async () => {
    const { createLockServer } = await import('../lock/server/server.ts');
    return createLockServer({ locks, log, clock });
  };
  return await answerDoor(socketPath, load);
}

/** The locks of the coordinator that listens there and answers, or undefined. */
export async function connectEmbedded(
  socketPath: string,
  version: string,
  signal: AbortSignal,
  timeouts: HttpLocksTimeouts = {},
): Promise<Locks | undefined> {
  const patience = { ...timeouts, retries: 0 };
  const locks = createHttpLocks({ servers: [], socketPath, version, clock, timeouts: patience });
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
export function asideOf(log: Log): Log {
  const debug = (fields: object, message: string) => log.debug(fields, message);
  return { debug, info: debug, warn: debug, error: (fields, message) => log.error(fields, message) };
}
