import { describe, expect, it, vi } from 'vitest';
import type { Source, SourceReply } from '../../src/lock/locks.ts';
import { createGuide } from '../../src/lock/session-guides.ts';
import type { SourceReport } from '../../src/lock/sources.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { peer, registry } from '../support/leading-locks.ts';
import { never } from '../support/session-stage.ts';

const wait = (retryMs: number): SourceReply => ({ kind: 'wait', retryMs });
const lead = (source: Source): SourceReply => ({ kind: 'source', source });

/** A guide whose questions are answered in this order; the last answer stays. Undefined: nobody answers. */
function startGuide(replies: readonly (SourceReply | undefined)[], source: Source = peer('node-a')) {
  const clock = createFakeClock();
  const asked: SourceReport[] = [];
  const active = createGuide({
    source,
    clock,
    ask: async (report) => {
      asked.push(report);
      return replies[Math.min(asked.length, replies.length) - 1];
    },
  });
  const { guide } = active;
  const ask = (report: SourceReport = { offset: 0 }, signal = never) => {
    const answer: { source?: Source; error?: unknown; atMs?: number } = {};
    guide.next(report, signal).then(
      (next) => Object.assign(answer, { source: next, atMs: clock.now() }),
      (error) => Object.assign(answer, { error }),
    );
    return answer;
  };
  return { clock, asked, active, guide, ask };
}

describe('a guide', () => {
  it('begins where the grant says', () => {
    expect(startGuide([]).guide.source).toEqual(peer('node-a'));
  });

  it('answers the source that the server names, and stays there', async () => {
    const { guide } = startGuide([lead(peer('node-b'))]);
    expect(await guide.next({ offset: 7 }, never)).toEqual(peer('node-b'));
    expect(guide.source).toEqual(peer('node-b'));
  });

  it('asks again when the server wants it to, with the same report, until there is a source', async () => {
    const { clock, asked, ask } = startGuide([wait(400), wait(300), lead(peer('node-b'))]);
    const bad = { sessionId: peer('node-a').sessionId, reason: 'silent for 5 s' };
    const answer = ask({ offset: 7, bad });
    await clock.advance(699);
    expect(answer).toEqual({});
    await clock.advance(1);
    expect(answer).toEqual({ source: peer('node-b'), atMs: 700 });
    expect(asked).toEqual(Array(3).fill({ offset: 7, bad }));
  });

  it.each([
    ['at once', 0, 50],
    ['in an hour', 3_600_000, 5_000],
  ])('is not kept busy, or waiting, by a server that wants to be asked %s', async (_, retryMs, atMs) => {
    const { clock, asked, ask } = startGuide([wait(retryMs), lead(registry)]);
    const answer = ask();
    await clock.advance(atMs - 1);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(answer).toEqual({ source: registry, atMs });
  });

  it.each([
    ['cannot be asked', undefined],
    ['says that the lock is not its', { kind: 'not-holder', message: 'superseded' } as const],
  ])('takes the registry from a server that %s', async (_, reply) => {
    const { guide } = startGuide([reply]);
    expect(await guide.next({ offset: 0 }, never)).toEqual(registry);
    expect(guide.source).toEqual(registry);
  });

  it('ends a wait when the server names a source by itself', async () => {
    const { clock, active, asked, ask } = startGuide([wait(1_000)]);
    const answer = ask();
    await clock.advance(100);
    active.move(peer('node-c'));
    await settle();
    expect(answer).toEqual({ source: peer('node-c'), atMs: 100 });
    expect(asked).toHaveLength(1);
    expect(clock.pending()).toBe(0);
  });

  it('ends a wait also when that is the source it had', async () => {
    const { clock, active, ask } = startGuide([wait(1_000)]);
    const answer = ask();
    await clock.advance(100);
    active.move(peer('node-a'));
    await settle();
    expect(answer).toMatchObject({ source: peer('node-a') });
  });

  it.each([
    ['a pause to name', wait(1_000)],
    ['no answer', undefined],
  ])('takes a source that was named while it asked: the server had %s', async (_, reply) => {
    const clock = createFakeClock();
    const active = createGuide({
      ...{ source: registry, clock },
      ask: async () => {
        active.move(peer('node-c'));
        return reply;
      },
    });
    expect(await active.guide.next({ offset: 0 }, never)).toEqual(peer('node-c'));
  });

  it('tells its listeners of moves, until they stop', () => {
    const { active, guide } = startGuide([]);
    const [one, other] = [vi.fn(), vi.fn()];
    const stop = guide.onMove(one);
    guide.onMove(other);
    active.move(peer('node-b'));
    stop();
    stop();
    active.move(registry);
    expect(one.mock.calls).toEqual([[peer('node-b')]]);
    expect(other.mock.calls).toEqual([[peer('node-b')], [registry]]);
    expect(guide.source).toEqual(registry);
  });

  it('does not call it a move when a peer has all of it by now', () => {
    const { active, guide } = startGuide([]);
    const listener = vi.fn();
    guide.onMove(listener);
    active.move(peer('node-a', true));
    expect(listener).not.toHaveBeenCalled();
    expect(guide.source).toEqual(peer('node-a', true));
  });

  it('tells nobody of a source that was asked for', async () => {
    const { guide } = startGuide([lead(peer('node-b'))]);
    const listener = vi.fn();
    guide.onMove(listener);
    await guide.next({ offset: 0 }, never);
    expect(listener).not.toHaveBeenCalled();
  });

  it('throws the reason of a signal that aborts its wait, and nothing else', async () => {
    const { clock, ask } = startGuide([wait(1_000)]);
    const cancelling = new AbortController();
    const answer = ask({ offset: 0 }, cancelling.signal);
    await clock.advance(10);
    const reason = new Error('enough');
    cancelling.abort(reason);
    await settle();
    expect(answer).toEqual({ error: reason });
    expect(clock.pending()).toBe(0);
  });

  it('is not asked at all with a signal that has aborted', async () => {
    const { asked, guide } = startGuide([lead(registry)]);
    const reason = new Error('over');
    await expect(guide.next({ offset: 0 }, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(asked).toEqual([]);
  });
});
