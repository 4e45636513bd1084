import type { SourceReply, SourceRequest } from '../locks.ts';
import type { Replies } from './commands.ts';
import type { Step } from './events.ts';
import { claimHold } from './grant.ts';
import { abandonAll, banAndAbandon, place, send } from './origins.ts';
import { bestParent, lastParent, mayReadFrom } from './parents.ts';
import { advance, readerOf } from './readers.ts';
import { findLock, type MachineState } from './state.ts';
import { isMember, type Member, offsetOf, sourceOf } from './swarm.ts';
import { attach, depthOf, spoilTree } from './tree.ts';
import { ban, isQuiet, report } from './troubles.ts';

/** When to ask again, in milliseconds: holders report how far they are about this often. */
const retryMs = 1_000;
/** One that could read and gets no further for this long is stuck, and not starved; in milliseconds. */
const stuckMs = 4_000;
/** Bytes that came just now may not have reached those who wait for them; in milliseconds. */
const passingMs = 2_000;

/** A holder tells how far it is, and asks where to read on. */
export function sources(state: MachineState, request: SourceRequest, step: Step): Replies['sources'] {
  const { sessionId, resourceId, token, offset, bad, restarts = 0 } = request;
  const session = state.sessions.get(sessionId);
  if (!session) return { kind: 'unknown-session' };
  session.cutMs = undefined;
  const lock = findLock(state, session.domain, resourceId);
  const hold = lock?.holder;
  if (!lock || hold?.sessionId !== sessionId || hold.token !== token || hold.type !== 'pull') {
    return { kind: 'not-holder', message: `${session.nodeId} does not hold the lock under this token` };
  }
  claimHold(state, lock, hold, step);
  advance(hold, offset, step);
  const reader = readerOf(state, session, lock, hold, step);
  if (bad?.wrongBytes) accuse(state, reader, bad.sessionId, step);
  if (bad?.wrongBytes || restarts > reader.restarts) beginAgain(reader, restarts, step);
  return bad && !bad.wrongBytes ? complain(state, reader, bad.sessionId, step) : goOn(state, reader, step);
}

/** It threw away what it had and handed on, and gets the whole time to get it once more. */
function beginAgain(reader: Member, restarts: number, { nowMs }: Step): void {
  reader.restarts = Math.max(reader.restarts, restarts);
  spoilTree(reader);
  if (reader.reading) reader.reading.progressedMs = nowMs;
}

/**
 * All bytes came from what the accused offers as complete, and they are wrong: that is so wherever the reader reads by
 * now. Whoever else reads there stays: its bytes are wrong too, it will notice, and right ones behind them would be lost.
 */
function accuse(
  state: MachineState,
  reader: Member,
  sessionId: SourceRequest['sessionId'],
  step: Step,
): void {
  const accused = reader.swarm.members.get(sessionId);
  if (!accused || accused === reader) return;
  if (!report(state, accused, reader.session.domain, step, true)) return;
  ban(state, accused, step);
  spoilTree(accused);
}

/** Nothing more comes, or it asks whether it is still right where it is. */
function goOn(state: MachineState, reader: Member, step: Step): SourceReply {
  const { parent, isWaiting } = reader;
  const isBarred = isMember(parent) && !mayReadFrom(state, reader, parent, step.nowMs);
  if (parent === 'unknown' || isWaiting || isBarred) place(state, reader, step, true);
  else if (parent === 'registry' || (isMember(parent) && isStuck(parent, step)))
    advanceTo(state, reader, step);
  return isMember(reader.parent) && !isAhead(reader.parent, reader) ? wait : answer(reader);
}

/** To somebody who has more, if there is one: whoever asks gets nothing where it is. */
function advanceTo(state: MachineState, reader: Member, step: Step): void {
  const { nowMs } = step;
  const parent = bestParent(state, reader, nowMs, true) ?? lastParent(state, reader, nowMs);
  if (parent) send(reader, parent, step, true);
}

/**
 * It was served badly. A report that crosses with a move names a source that is none any more; and who has all that the
 * source has is starved, for which only whoever reads the registry can be to blame.
 */
function complain(
  state: MachineState,
  reader: Member,
  sessionId: SourceRequest['sessionId'],
  step: Step,
): SourceReply {
  const accused = reader.swarm.members.get(sessionId);
  if (reader.parent === 'unknown' && accused) remember(reader, accused, step);
  if (reader.parent !== 'unknown' && reader.parent !== accused) return goOn(state, reader, step);
  if (accused && accused !== reader) {
    const isMute = isQuiet(state, accused.session, step.nowMs);
    const starved = isMute || isBroken(accused, step) ? undefined : answerStarved(reader, accused, step);
    if (starved) return starved;
    const isEnough = report(state, accused, reader.session.domain, step);
    // Where the service hears nothing of it either, it serves nothing at all.
    if (isMute) abandonAll(state, accused.session, step, reader);
    else if (isEnough) banAndAbandon(state, accused, step, reader);
  }
  if (reader.parent === accused || reader.parent === 'unknown') place(state, reader, step, true);
  return answer(reader);
}

/** Whom it complains of it was reading from over the restart. */
function remember(reader: Member, source: Member, { nowMs }: Step): void {
  const isSafe = depthOf(source, reader.session.domain) !== undefined;
  if (isSafe && source.session.opened.url !== undefined) attach(reader, source, nowMs);
}

/** Complaints are repeated until they are answered, so one that was starvation is none once more comes. */
function answerStarved(reader: Member, source: Member, step: Step): SourceReply | undefined {
  const before = reader.starvedAt;
  const offset = offsetOf(reader);
  reader.starvedAt = isAhead(source, reader) && !isNews(source, step) ? undefined : offset;
  if (reader.starvedAt !== undefined) return wait;
  return before === offset && reader.parent === source ? answer(reader) : undefined;
}

/** It waited itself until just now. */
function isNews({ isComplete, reading }: Member, { nowMs }: Step): boolean {
  return !isComplete && reading !== undefined && nowMs - reading.flowingMs < passingMs;
}

function isAhead(source: Member, reader: Member): boolean {
  return offsetOf(source) > offsetOf(reader);
}

/** Its own fault, and not that of whom it reads from; or its connection broke, and with it whatever it served. */
function isBroken(source: Member, step: Step): boolean {
  return source.session.cutMs !== undefined || isStuck(source, step);
}

function isStuck(source: Member, { nowMs }: Step): boolean {
  const { parent, reading, movedMs } = source;
  if (!reading || !isMember(parent) || !isAhead(parent, source)) return false;
  return nowMs - Math.max(movedMs, reading.progressedMs) >= stuckMs;
}

function answer(reader: Member): SourceReply {
  if (reader.isWaiting) return wait;
  return { kind: 'source', source: sourceOf(reader) };
}

const wait: SourceReply = { kind: 'wait', retryMs };
