import { isSession } from './model-state.ts';
import type { Absence, Identity, Operation, ServerTimes, Spans } from './operations.ts';

/** A sign of life: the server heard it between these times, in milliseconds. */
interface Sign {
  readonly calledMs: number;
  readonly returnedMs: number;
}

/** All that one client asked, over all resources, and when its connections broke or were closed. */
export interface ClientLife {
  readonly who: Identity;
  readonly operations: readonly Operation[];
  /** Milliseconds; for a session those of its streams. */
  readonly cutsMs: readonly number[];
}

/**
 * When the server may give up on this client. Only answered requests count as signs of life, and only from their call
 * on, since the server may have heard them as early as that.
 */
export function absenceOf(
  { who, operations, cutsMs }: ClientLife,
  resource: readonly Operation[],
  times: ServerTimes,
): Absence {
  const heard = operations.filter(wasHeard);
  const afterCut = (patienceMs: number) => silences(heard, patienceMs, Math.min(...cutsMs));
  if (isSession(who)) {
    const beats = operations.filter(({ request }) => request.kind === 'open' || request.kind === 'renew');
    return { session: united(outOfTouch(beats, times.ttlMs), afterCut(times.graceMs)), hold: [], place: [] };
  }
  const asked = resource.filter(({ request }) => request.kind !== 'told');
  const polls = asked.filter(({ request }) => request.kind === 'acquire');
  return {
    session: [],
    hold: united(outOfTouch(asked, times.leaseMs), afterCut(times.nodeGraceMs)),
    place: outOfTouch(polls, times.placeMs),
  };
}

/** Since the first of these requests there was silence for this long. */
function outOfTouch(requests: readonly Operation[], patienceMs: number): Spans {
  const firstMs = Math.min(...requests.map(({ calledMs }) => calledMs));
  return silences(requests.filter(wasHeard), patienceMs, firstMs);
}

function wasHeard({ answer, request }: Operation): boolean {
  return answer !== undefined && answer.kind !== 'unknown-session' && request.kind !== 'told';
}

/** The times at which no sign of life, nor `sinceMs`, is younger than `patienceMs`. */
function silences(signs: readonly Sign[], patienceMs: number, sinceMs: number): Spans {
  const spans: (readonly [number, number])[] = [];
  let quietMs = sinceMs + patienceMs;
  for (const { calledMs, returnedMs } of signs.toSorted((one, other) => one.returnedMs - other.returnedMs)) {
    if (calledMs + patienceMs <= returnedMs) continue;
    if (returnedMs > quietMs) spans.push([quietMs, returnedMs]);
    quietMs = Math.max(quietMs, calledMs + patienceMs);
  }
  return quietMs < Number.POSITIVE_INFINITY ? [...spans, [quietMs, Number.POSITIVE_INFINITY]] : spans;
}

function united(one: Spans, other: Spans): Spans {
  return [...one, ...other].sort(([a], [b]) => a - b);
}
