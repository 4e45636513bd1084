import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { toToken } from '../../src/core/ids.ts';
import type { Hold, Source, SourceReply } from '../../src/lock/locks.ts';
import { settle } from '../support/fake-clock.ts';
import { createLeadingLocks, peer, registry } from '../support/leading-locks.ts';
import { createSessionStage, failure, holdOf, layerRequest, never } from '../support/session-stage.ts';

const { type, resourceId } = layerRequest;

/** A session at a lock service that leads where a test says. */
function startLed() {
  const stage = createSessionStage();
  const leading = createLeadingLocks(stage.locks);
  const session = stage.open('node-b', { locks: leading });
  const tell = async (token: number, source: Source) => {
    leading.tell({ kind: 'source', type, resourceId, token: toToken(token), source });
    await settle();
  };
  const next = (hold: Hold) => {
    const answer: { source?: Source; atMs?: number } = {};
    void hold.guide
      .next({ offset: 5 }, never)
      .then((source) => Object.assign(answer, { source, atMs: stage.clock.now() }));
    return answer;
  };
  return { ...stage, leading, session, tell, next };
}

const silent = () => new Promise<SourceReply>(() => {});

describe('a hold', () => {
  it('is led where its grant says', async () => {
    const { ask, leading, session } = startLed();
    leading.grants = peer('node-a');
    const hold = holdOf(await ask(session));
    expect(hold.source).toEqual(peer('node-a'));
    expect(hold.guide.source).toEqual(peer('node-a'));
  });

  it('is led on by events that name its lock, and by no other', async () => {
    const { ask, session, tell } = startLed();
    const hold = holdOf(await ask(session));
    const listener = vi.fn();
    hold.guide.onMove(listener);
    await tell(99, peer('node-x'));
    expect(hold.guide.source).toEqual(registry);
    await tell(Number(hold.token), peer('node-a'));
    expect(hold.guide.source).toEqual(peer('node-a'));
    expect(listener.mock.calls).toEqual([[peer('node-a')]]);
    expect(hold.source).toEqual(registry);
  });

  it('is led by an event that overtook its grant', async () => {
    const { ask, leading, session, tell, clock } = startLed();
    await session.connect(never);
    await clock.advance(0);
    leading.beforeReply = async () => await tell(1, peer('node-a'));
    const hold = holdOf(await ask(session));
    expect(hold.token).toBe(1);
    expect(hold.guide.source).toEqual(peer('node-a'));
    expect(hold.source).toEqual(peer('node-a'));
  });

  it('is not led by an event that names an earlier lock', async () => {
    const { ask, leading, open, session, tell, clock } = startLed();
    await holdOf(await ask(open('node-z'))).release(failure);
    await session.connect(never);
    await clock.advance(0);
    leading.beforeReply = async () => await tell(1, peer('node-a'));
    const hold = holdOf(await ask(session));
    expect(hold.token).toBe(2);
    expect(hold.guide.source).toEqual(registry);
  });

  it('asks in the name of its session and its lock', async () => {
    const { ask, leading, session } = startLed();
    leading.answer = async () => ({ kind: 'source', source: peer('node-c') });
    const hold = holdOf(await ask(session));
    const bad = { sessionId: peer('node-a').sessionId, reason: 'connection refused' };
    expect(await hold.guide.next({ offset: 5, bad }, never)).toEqual(peer('node-c'));
    const { sessionId } = session;
    expect(leading.asked).toEqual([{ sessionId, resourceId, token: hold.token, offset: 5, bad }]);
  });

  it('takes the registry after three seconds without an answer, and the next one asks nobody', async () => {
    const { ask, clock, leading, next, session } = startLed();
    leading.answer = silent;
    const hold = holdOf(await ask(session));
    const startMs = clock.now();
    const first = next(hold);
    await clock.advance(2_999);
    expect(first).toEqual({});
    await clock.advance(1);
    expect(first).toEqual({ source: registry, atMs: startMs + 3_000 });
    const second = next(hold);
    await settle();
    expect(second).toEqual({ source: registry, atMs: startMs + 3_000 });
    expect(leading.asked).toHaveLength(1);
  });

  it('asks again once the server answered a heartbeat', async () => {
    const { ask, clock, leading, next, session } = startLed();
    leading.answer = silent;
    const hold = holdOf(await ask(session));
    next(hold);
    await clock.advance(3_000);
    leading.answer = async () => ({ kind: 'source', source: peer('node-c') });
    await clock.advance(6_000);
    const answer = next(hold);
    await settle();
    expect(answer).toMatchObject({ source: peer('node-c') });
  });

  it('takes the registry at once from a server that refuses the question', async () => {
    const { ask, leading, next, session } = startLed();
    leading.answer = async () => {
      throw new LayerpullError('lock_protocol', 'there is nothing at /sources');
    };
    const hold = holdOf(await ask(session));
    const answer = next(hold);
    await settle();
    expect(answer).toMatchObject({ source: registry });
  });

  it('takes the registry without asking while the server is out of reach', async () => {
    const { ask, clock, leading, locks, next, session, warnings } = startLed();
    leading.grants = peer('node-a');
    const hold = holdOf(await ask(session));
    locks.cut();
    await clock.advance(12_000);
    expect(warnings).toHaveLength(1);
    expect(hold.guide.source).toEqual(peer('node-a'));
    expect(hold.revoked.aborted).toBe(false);
    const answer = next(hold);
    await settle();
    expect(answer).toMatchObject({ source: registry });
    expect(leading.asked).toEqual([]);
  });

  it('throws the reason of a signal that aborts its question', async () => {
    const { ask, leading, session } = startLed();
    leading.answer = silent;
    const hold = holdOf(await ask(session));
    const cancelling = new AbortController();
    const asked = hold.guide.next({ offset: 0 }, cancelling.signal);
    asked.catch(() => {});
    await settle();
    const reason = new Error('enough');
    cancelling.abort(reason);
    await expect(asked).rejects.toBe(reason);
    // It was not the server that failed.
    leading.answer = async () => ({ kind: 'source', source: peer('node-c') });
    expect(await hold.guide.next({ offset: 0 }, never)).toEqual(peer('node-c'));
  });

  it('ends its question when the session is closed', async () => {
    const { ask, leading, next, session, clock } = startLed();
    leading.answer = silent;
    const hold = holdOf(await ask(session));
    const answer = next(hold);
    await settle();
    const closing = session.close();
    await clock.advance(1_000);
    await closing;
    expect(answer).toMatchObject({ source: registry });
  });

  it('keeps its source when the server started again, and asks it under the lock that it kept', async () => {
    const { ask, clock, leading, locks, next, session } = startLed();
    leading.grants = peer('node-a');
    const hold = holdOf(await ask(session));
    const listener = vi.fn();
    hold.guide.onMove(listener);
    await locks.restart();
    await clock.advance(10_000);
    expect(hold.revoked.aborted).toBe(false);
    expect(hold.guide.source).toEqual(peer('node-a'));
    expect(listener).not.toHaveBeenCalled();
    leading.answer = async () => ({ kind: 'source', source: peer('node-c') });
    const answer = next(hold);
    await settle();
    expect(answer).toMatchObject({ source: peer('node-c') });
    expect(leading.asked.at(-1)?.token).toBe(hold.token);
  });

  it('opens its session again when it is the question that finds it forgotten', async () => {
    const { ask, leading, locks, next, session, clock } = startLed();
    const hold = holdOf(await ask(session));
    const opened = leading.opened.length;
    const isBack = deferred<void>();
    leading.answer = async () => {
      if (leading.opened.length === opened) {
        await locks.restart();
        throw new LayerpullError('session_unknown', 'who?');
      }
      isBack.resolve();
      return { kind: 'source', source: peer('node-c') };
    };
    const answer = next(hold);
    await clock.advance(0);
    await isBack.promise;
    await settle();
    expect(answer).toMatchObject({ source: peer('node-c') });
    expect(hold.revoked.aborted).toBe(false);
  });

  it('without a lock reads from the registry', async () => {
    const { ask, leading, locks, session, clock } = startLed();
    locks.cut();
    const asked = ask(session);
    await clock.advance(3_000);
    const hold = holdOf(await asked);
    expect(hold.token).toBeUndefined();
    expect(await hold.guide.next({ offset: 0 }, never)).toEqual(registry);
    hold.guide.onMove(() => {})();
    expect(leading.asked).toEqual([]);
  });
});
