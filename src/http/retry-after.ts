import { systemClock } from '../core/clock.ts';

/** A day: more than anybody waits, and what a wrong clock may make of a date. */
const longestMs = 86_400_000;

/**
 * Milliseconds that `Retry-After` asks for (RFC 9110, section 10.2.3): seconds, or a date, which is held against the
 * server's own `Date` where there is one, as its clock may differ from ours. Undefined without a header that makes
 * sense.
 */
export function readRetryAfter(
  headers: Readonly<Record<string, string>>,
  clock: { wallNow(): number } = systemClock,
): number | undefined {
  const text = headers['retry-after']?.trim() ?? '';
  if (/^\d{1,10}$/.test(text)) return Math.min(longestMs, Number(text) * 1_000);
  const untilMs = readDate(text);
  if (untilMs === undefined) return undefined;
  const nowMs = readDate(headers['date']) ?? clock.wallNow();
  return Math.min(longestMs, Math.max(0, untilMs - nowMs));
}

/** An HTTP date; what else `Date.parse` makes sense of is none. */
function readDate(text: string | undefined): number | undefined {
  if (text === undefined || !/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(text) || text.length > 40)
    return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
