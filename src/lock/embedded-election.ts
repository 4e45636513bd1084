import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import { type Token, toToken } from '../core/ids.ts';
import { type AgentTrust, CoordinatorFile, type CoordinatorRecord, thisHost } from './coordinator-file.ts';
import { isLeadWanted, type LeadWish, wishToLead } from './lead-wish.ts';
import type { Locks } from './locks.ts';
import { shortSocketPath } from './socket-path.ts';

/** A lock service that this process serves to the others on its store. */
export interface EmbeddedServer {
  readonly locks: Locks;
  /** Whether any session but this process's own is connected. */
  hasOtherSessions(): boolean;
  close(): Promise<void>;
}

export interface EmbeddedServerOptions {
  readonly socketPath: string;
  readonly firstToken: Token;
  /** Milliseconds in which only what was held before is granted. */
  readonly recoveryMs: number;
}

export interface ElectionOptions {
  /** Absolute path of the store. */
  readonly store: string;
  readonly clock: Clock;
  /** Starts the lock server of the winner. */
  readonly serve: (options: EmbeddedServerOptions) => Promise<EmbeddedServer>;
  /** Whether this process is the agent of the store. Default: false. */
  readonly isAgent?: boolean;
  /** Where an agent has its tokens and certificates: pulls on the store show them to other nodes, too. */
  readonly trust?: AgentTrust | undefined;
  /** Reaches the winner's lock server. Answers undefined when nobody listens there. */
  readonly connect: (socketPath: string, signal: AbortSignal) => Promise<Locks | undefined>;
}

/** One process's part in coordinating a store. */
export interface Seat {
  readonly kind: 'coordinator' | 'member';
  readonly locks: Locks;
  /** @param staysHere this process goes on, and will re-assert what it holds. Default: false */
  close(staysHere?: boolean): Promise<void>;
}

/** Others re-assert what they hold for this long after a take-over. */
const recoveryMs = 1_000;
/** Between two tries while a coordinator comes up or goes down. */
const retryMs = 25;
/** Between two signs of life of a coordinator, in milliseconds. */
const touchMs = 5_000;
/** Tokens of one epoch; the next epoch starts above. 2^32 grants, and 2^21 epochs before a number is not safe. */
const tokensPerEpoch = 2 ** 32;

/**
 * Finds or becomes the coordinator of a store. Whoever locks `coordinator.lock` is it; only the owner of the lock
 * unlinks and binds the socket, so two processes never both win.
 *
 * @throws LayerpullError `lock_unreachable` when another host coordinates the store; the signal's reason.
 */
export async function takeSeat(options: ElectionOptions, signal: AbortSignal): Promise<Seat> {
  for (;;) {
    signal.throwIfAborted();
    const isWanted = await isLeadWanted(options.store);
    const led = isWanted ? undefined : await tryToCoordinate(options);
    const seat = led ?? (await tryToJoin(options, signal));
    if (seat) return seat;
    await options.clock.sleep(retryMs, signal);
  }
}

/**
 * Becomes the coordinator of a store, as soon as whoever is it ends.
 *
 * @param onWait told once, by whom the store is coordinated; undefined while that is being written
 * @throws LayerpullError `lock_unreachable` when another host coordinates the store; the signal's reason
 */
export async function takeLead(
  options: Omit<ElectionOptions, 'connect'>,
  onWait: (coordinator: CoordinatorRecord | undefined) => void,
  signal: AbortSignal,
): Promise<Seat> {
  let wish: LeadWish | undefined;
  try {
    for (let isTold = false; ; isTold = true) {
      signal.throwIfAborted();
      const seat = await tryToCoordinate(options);
      if (seat) return seat;
      const record = await readRecord(options.store);
      if (record && isElsewhere(record)) throw otherHost(options.store, record);
      if (!isTold) onWait(record);
      wish ??= await wishToLead(options.store);
      await options.clock.sleep(retryMs, signal);
    }
  } finally {
    await wish?.close();
  }
}

async function tryToCoordinate(options: Omit<ElectionOptions, 'connect'>): Promise<Seat | undefined> {
  const file = await CoordinatorFile.open(options.store);
  try {
    if (await file.tryLock()) return await coordinate(file, options);
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

async function coordinate(file: CoordinatorFile, options: Omit<ElectionOptions, 'connect'>): Promise<Seat> {
  const last = await file.read();
  if (last && !last.clean && isElsewhere(last) && (await file.isFresh(options.clock))) {
    throw otherHost(options.store, last);
  }
  const role = options.isAgent ? { agent: true, trust: options.trust } : {};
  const record = { format: 1 as const, epoch: (last?.epoch ?? 0) + 1, clean: false, ...role, ...thisHost() };
  await file.write(record);
  await rm(path.join(options.store, 'coordinator.sock'), { force: true });
  const socket = await shortSocketPath(options.store);
  const starting = options.serve({
    socketPath: socket.path,
    firstToken: toToken(record.epoch * tokensPerEpoch),
    recoveryMs: last === undefined || last.clean ? 0 : recoveryMs,
  });
  const server = await starting.catch(async (error: unknown) => {
    await socket.dispose();
    throw error;
  });
  // A lock that another host does not see (some network file systems) is noticed by the age of the file.
  const stopTouching = options.clock.every(touchMs, () => file.touch(options.clock));
  return {
    kind: 'coordinator',
    locks: server.locks,
    close: async (staysHere = false) => {
      stopTouching();
      const clean = !staysHere && !server.hasOtherSessions();
      await server.close();
      await socket.dispose();
      // Where that cannot be written, the next coordinator waits a moment for locks that nobody has.
      if (clean) await file.write({ ...record, clean }).catch(() => {});
      await file.close();
    },
  };
}

async function tryToJoin(options: ElectionOptions, signal: AbortSignal): Promise<Seat | undefined> {
  const record = await readRecord(options.store);
  if (!record) return undefined;
  if (isElsewhere(record)) throw otherHost(options.store, record);
  const socket = await shortSocketPath(options.store);
  const locks = await options.connect(socket.path, signal).catch(async (error: unknown) => {
    await socket.dispose();
    throw error;
  });
  if (!locks) {
    await socket.dispose();
    return undefined;
  }
  const close = async () => {
    await locks.close();
    await socket.dispose();
  };
  return { kind: 'member', locks, close };
}

function isElsewhere(record: CoordinatorRecord): boolean {
  return record.kernel !== thisHost().kernel;
}

async function readRecord(store: string): Promise<CoordinatorRecord | undefined> {
  const file = await CoordinatorFile.open(store);
  try {
    return await file.read();
  } finally {
    await file.close();
  }
}

function otherHost(store: string, record: CoordinatorRecord): LayerpullError {
  return new LayerpullError('lock_unreachable', `the store ${store} is in use by the host "${record.host}"`, {
    hint: 'to coordinate several hosts start one lock server with "layerpull serve" and give all pulls its --server URL',
  });
}
