import type { MachineEvent } from '../../../src/lock/machine/events.ts';
import type { Hold, Lock, MachineState, Session, Waiter } from '../../../src/lock/machine/state.ts';
import { checkSwarms } from '../sources/checks.ts';
import type { Played, Player } from './player.ts';

/** What was seen from outside: replayed from the log, independent of the machine's own state. */
export interface History {
  readonly heldBy: Map<string, number>;
  readonly lastTokens: Map<string, number>;
  readonly doneAtMs: Map<string, number>;
  readonly granted: Set<number>;
}

export function startHistory(): History {
  return { heldBy: new Map(), lastTokens: new Map(), doneAtMs: new Map(), granted: new Set() };
}

type LogEvent = Extract<MachineEvent, { kind: 'log' }>;

/** Plays one action and checks every rule on what it did. */
export function checkStep(history: History, player: Player, play: () => Played): void {
  const { state, events } = player;
  const before = [...state.locks.values()].map((lock) => ({
    lock,
    holder: lock.holder,
    queue: [...lock.queue],
  }));
  const doneBefore = new Map(history.doneAtMs);
  const seen = events.length;
  const startMs = player.now();
  const played = play();
  const told = events.slice(seen).filter((event) => event.kind === 'log');
  for (const event of told) checkLog(history, event, player.now());
  // Within one moment; over many a waiter may leave and come back.
  if (player.now() === startMs) for (const { lock, queue } of before) checkFifo(state, lock, queue);
  for (const lock of state.locks.values()) checkLock(state, lock, history);
  for (const session of state.sessions.values()) checkSession(session);
  for (const event of told) if (isPullDone(event)) checkNobodyWaits(state.locks.get(keyOf(event)));
  checkSwarms(state);
  checkSkip(doneBefore, played, player, new Set(before.map(({ holder }) => holder)));
}

const keyOf = ({ domain, resourceId }: LogEvent) => `${domain}\n${resourceId}`;
const isPullDone = ({ what, type, success }: LogEvent) =>
  what === 'released' && type === 'pull' && success === true;

function checkLog({ heldBy, lastTokens, doneAtMs, granted }: History, event: LogEvent, nowMs: number): void {
  const key = keyOf(event);
  const { what, token = 0 } = event;
  if (what === 'moved') {
    const from = keyOf({ ...event, domain: event.from ?? '' });
    if (heldBy.get(from) !== token) fail(`${token} was moved and not held`);
    heldBy.delete(from);
  }
  if (what === 'granted' || what === 'moved') {
    if (heldBy.has(key)) fail(`two holders of ${key}`);
    if (token <= (lastTokens.get(key) ?? 0)) fail(`token ${token} of ${key} does not rise`);
    if (what === 'granted' && granted.has(token)) fail(`token ${token} was granted twice`);
    granted.add(token);
    heldBy.set(key, token);
    lastTokens.set(key, token);
  }
  const isEnd =
    what === 'released' || what === 'reclaimed' || (what === 'declined' && event.token !== undefined);
  if (isEnd && heldBy.get(key) !== token) fail(`${what} of ${key} under another token`);
  if (isEnd) heldBy.delete(key);
  if (isPullDone(event)) doneAtMs.set(key, nowMs);
  if (what === 'released' && event.success && event.type === 'delete') doneAtMs.delete(key);
}

/** Whoever is still there is in the same order, newcomers are behind, and nobody was passed by. */
function checkFifo({ adoptedTokens }: MachineState, lock: Lock, before: readonly Waiter[]): void {
  const after = [...lock.queue];
  const stayed = before.filter((waiter) => after.includes(waiter));
  const isRecoveredNow = stayed.some((waiter) => waiter.formerPosition > 0);
  if (!isRecoveredNow && stayed.some((waiter, index) => after[index] !== waiter)) fail('the order changed');
  // Who brings a lock from before a restart holds it already, and was given nothing ahead of others.
  if (lock.holder && adoptedTokens.has(lock.holder.token)) return;
  const next = before.find((waiter) => waiter.key === keyOfHolder(lock) && !after.includes(waiter));
  const ahead = next ? before.slice(0, before.indexOf(next)) : [];
  if (ahead.some((waiter) => after.includes(waiter))) fail('somebody was passed by');
}

function keyOfHolder({ holder }: Lock): string {
  return holder ? `${holder.identity} ${holder.type}` : '';
}

function checkLock(state: MachineState, lock: Lock, { heldBy }: History): void {
  const { holder, queue } = lock;
  if (heldBy.get(lock.key) !== holder?.token) fail('the log tells of another holder');
  if (!holder && queue.size > 0 && !state.isRecovering) fail('a free lock has waiters: a lost wake-up');
  for (const { sessionId } of [...queue, ...(holder ? [holder] : [])]) {
    if (sessionId && !state.sessions.has(sessionId)) fail('a session that is gone holds or waits');
  }
  if (queue.get(keyOfHolder(lock))) fail('somebody waits behind themselves');
  checkListed(state, lock);
  const isActive = holder !== undefined || queue.size > 0;
  if (state.active.has(lock) !== isActive) fail('a lock in use is not filed as such');
  if (isActive === state.idle.has(lock) && lock.listeners === 0) fail('a lock is not filed once');
  if (state.timedHolds.has(lock) !== (holder !== undefined && !(holder.isClaimed && holder.sessionId))) {
    fail('a holder is not timed as it should');
  }
  for (const waiter of queue) {
    if (state.timedPlaces.has(waiter) === Boolean(waiter.sessionId))
      fail('a place is not timed as it should');
  }
}

/** What a session holds and waits for is freed with it only when the session lists it. */
function checkListed({ sessions }: MachineState, lock: Lock): void {
  const { holder, queue } = lock;
  if (holder?.sessionId && !sessions.get(holder.sessionId)?.holds.has(lock)) {
    fail('a session does not list what it holds');
  }
  for (const waiter of queue) {
    if (waiter.sessionId && !sessions.get(waiter.sessionId)?.places.has(waiter)) {
      fail('a session does not list a place it has');
    }
  }
}

function checkSession({ id, holds, places }: Session): void {
  for (const { holder } of holds) if (holder?.sessionId !== id) fail('a session lists what it does not hold');
  for (const waiter of places) {
    if (waiter.lock.queue.get(waiter.key) !== waiter) fail('a session lists a place it does not have');
  }
}

function checkNobodyWaits(lock: Lock | undefined): void {
  if ([...(lock?.queue ?? [])].some(({ type }) => type === 'pull'))
    fail('somebody waits for a pull that is done');
}

/** A pull that is done is not granted again without force, and only what is done is skipped. */
function checkSkip(
  doneAtMs: ReadonlyMap<string, number>,
  { command, reply }: Played,
  { state, now }: Player,
  holders: ReadonlySet<Hold | undefined>,
): void {
  if (command.kind !== 'acquire' || command.request.type !== 'pull') return;
  const { sessionId, resourceId, force } = command.request;
  const domain = (sessionId && state.sessions.get(sessionId)?.domain) ?? 'default';
  const atMs = doneAtMs.get(`${domain}\n${resourceId}`);
  const isDone = atMs !== undefined && now() - atMs < state.options.completionMs;
  const kind = typeof reply === 'object' && reply !== null && 'kind' in reply ? reply.kind : undefined;
  const isNew = !holders.has(state.locks.get(`${domain}\n${resourceId}`)?.holder);
  if (isDone && !force && kind === 'granted' && isNew) fail('a pull that is done was granted again');
  if (kind === 'skip' && (!isDone || force)) fail('a pull was skipped that is not done');
}

function fail(message: string): never {
  throw new Error(message);
}
