import type { Step } from './events.ts';
import type { MachineState, Session } from './state.ts';
import type { Member, Trouble } from './swarm.ts';

/** So many domains must complain before a source is nobody's any more. */
const enough = 2;

/** A heartbeat may come so much later than it should, in milliseconds. */
const lateMs = 1_000;

/** Milliseconds without a heartbeat after which a session is quiet. */
export function quietMs({ options }: Pick<MachineState, 'options'>): number {
  return options.heartbeatMs + lateMs;
}

/** Not heard of for longer than between two heartbeats: it was stopped, or is cut off. */
export function isQuiet(state: MachineState, { heartbeatMs }: Session, nowMs: number): boolean {
  return nowMs - Math.max(heartbeatMs, state.resumedMs) >= quietMs(state);
}

/**
 * Notes that this domain was served badly. True once enough of them were.
 *
 * @param isWrong what it offers as complete does not match its digest
 */
export function report(
  state: MachineState,
  accused: Member,
  domain: string,
  { nowMs }: Step,
  isWrong = false,
): boolean {
  const { reports, wrong } = troubleOf(accused);
  reports.set(domain, nowMs);
  if (isWrong) wrong.set(domain, nowMs);
  accused.session.peer.blamedMs = nowMs;
  const fresh = [...reports.values()].filter((atMs) => nowMs - atMs < state.options.banMs);
  return fresh.length >= enough;
}

/** Nobody is sent there for a while. */
export function ban(state: MachineState, member: Member, { nowMs }: Step): void {
  troubleOf(member).bannedUntilMs = nowMs + state.options.banMs;
}

export function isBanned(state: MachineState, { swarm, session }: Member, nowMs: number): boolean {
  if (!swarm.troubles && state.lostSessions.size === 0) return false;
  const lostUntilMs = state.lostSessions.get(session.id) ?? Number.NEGATIVE_INFINITY;
  const bannedUntilMs = swarm.troubles?.get(session.id)?.bannedUntilMs ?? Number.NEGATIVE_INFINITY;
  return nowMs < Math.max(lostUntilMs, bannedUntilMs);
}

/** Whether this domain was served badly by it lately. */
export function isReportedBy(
  state: MachineState,
  { swarm, session }: Member,
  domain: string,
  nowMs: number,
): boolean {
  const atMs = swarm.troubles?.get(session.id)?.reports.get(domain);
  return atMs !== undefined && nowMs - atMs < state.options.banMs;
}

/**
 * Whether what it offers as complete is known to be wrong: by the reader, or by enough others. To a reader that had
 * wrong bytes itself, and does not know whose, one other says enough.
 */
export function isKnownWrong(
  state: MachineState,
  { swarm, session }: Member,
  reader: Member,
  nowMs: number,
): boolean {
  const wrong = swarm.troubles?.get(session.id)?.wrong;
  if (!wrong?.size) return false;
  const by = [...wrong].flatMap(([domain, atMs]) => (nowMs - atMs < state.options.banMs ? [domain] : []));
  return by.length >= (reader.restarts > 0 ? 1 : enough) || by.includes(reader.session.domain);
}

/** Sessions that were lost are no source for a while, should they come back. */
export function forgetLost(state: MachineState, { nowMs }: Step): void {
  for (const [id, untilMs] of state.lostSessions) {
    if (untilMs > nowMs) return;
    state.lostSessions.delete(id);
  }
}

function troubleOf({ swarm, session }: Member): Trouble {
  swarm.troubles ??= new Map();
  const known = swarm.troubles.get(session.id);
  if (known) return known;
  const trouble = { reports: new Map(), wrong: new Map(), bannedUntilMs: Number.NEGATIVE_INFINITY };
  swarm.troubles.set(session.id, trouble);
  return trouble;
}
