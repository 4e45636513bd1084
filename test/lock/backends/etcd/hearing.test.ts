import { describe, expect, it } from 'vitest';
import { toSessionId } from '../../../../src/core/ids.ts';
import { Hearing } from '../../../../src/lock/backends/etcd/hearing.ts';

const [a, b] = [toSessionId('a'), toSessionId('b')];
const create = () => new Hearing({ quietMs: 6_000, gapMs: 1_000 }, 0);

/** Looks every quarter of a second. Answers who was quiet, and when. */
function lookUntil(hearing: Hearing, fromMs: number, toMs: number, sessions = [a, b]): string[] {
  const found: string[] = [];
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 250)
    for (const { sessionId, silentMs } of hearing.quiet(sessions, nowMs))
      found.push(`${sessionId} at ${nowMs} for ${silentMs}`);
  return found;
}

describe('a server that hears sessions', () => {
  it('tells once of one that is quiet, and again only after as long once more', () => {
    const hearing = create();
    hearing.heard(a, 0);
    hearing.heard(b, 4_000);
    expect(lookUntil(hearing, 250, 9_750)).toEqual(['a at 6000 for 6000']);
    expect(lookUntil(hearing, 10_000, 12_000)).toEqual(['b at 10000 for 6000', 'a at 12000 for 6000']);
  });

  it('takes one that comes to it for heard', () => {
    const hearing = create();
    expect(lookUntil(hearing, 250, 6_000)).toEqual([]);
    expect(lookUntil(hearing, 6_250, 6_250)).toEqual(['a at 6250 for 6000', 'b at 6250 for 6000']);
  });

  it('blames nobody for the time in which it was stopped itself', () => {
    const hearing = create();
    hearing.heard(a, 0);
    expect(lookUntil(hearing, 250, 1_000)).toEqual([]);
    expect(lookUntil(hearing, 60_000, 65_750)).toEqual([]);
    expect(lookUntil(hearing, 66_000, 66_000)).toEqual(['a at 66000 for 6000', 'b at 66000 for 6000']);
  });

  it('forgets one that ended', () => {
    const hearing = create();
    hearing.heard(a, 0);
    expect(lookUntil(hearing, 250, 5_000, [a])).toEqual([]);
    hearing.forget(a);
    expect(lookUntil(hearing, 5_250, 11_000, [a])).toEqual([]);
  });
});
