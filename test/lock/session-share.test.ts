import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { createLeadingLocks } from '../support/leading-locks.ts';
import { createSessionStage, holdOf, layerRequest, never } from '../support/session-stage.ts';
import { digests, startSharing } from './sharing.ts';

describe('a session of a node that serves layers', () => {
  it('says where it serves and where it stands, also when it is opened again', async () => {
    const { clock, leading, locks, session } = await startSharing();
    await locks.restart();
    await clock.advance(6_000);
    const { sessionId } = session;
    const open = { sessionId, nodeId: 'node-a', storeId: 'store' };
    const shared = { ...open, url: 'http://10.0.0.7:7041', zone: 'rack-2' };
    expect(leading.opened).toEqual([shared, shared]);
    expect(await leading.nodes()).toMatchObject([{ url: shared.url, zone: 'rack-2' }]);
  });

  it('tells what it has with the next heartbeat, within 750 ms, once', async () => {
    const { announced, clock, leading, session } = await startSharing();
    const [one, other] = digests(2);
    session.announce([one, other] as Digest[], []);
    await clock.advance(750);
    expect(leading.heartbeats).toEqual([{ held: [], announce: { add: [one, other], remove: [] } }]);
    await clock.advance(20_000);
    expect(announced()).toHaveLength(1);
  });

  it('tells only what changed', async () => {
    const { announced, clock, forget, session } = await startSharing();
    const [one, two, three] = digests(3) as [Digest, Digest, Digest];
    session.announce([one, two], []);
    await clock.advance(750);
    forget();
    session.announce([two, three], [one]);
    session.announce([], digests(1, 'unknown'));
    await clock.advance(750);
    expect(announced()).toEqual([{ add: [three], remove: [one] }]);
  });

  it('tells the last word where a layer comes and goes', async () => {
    const { announced, clock, forget, session } = await startSharing();
    const [one] = digests(1) as [Digest];
    session.announce([one], []);
    session.announce([], [one]);
    await clock.advance(750);
    expect(announced()).toEqual([{ add: [], remove: [one] }]);
    forget();
    session.announce([one], []);
    await clock.advance(750);
    expect(announced()).toEqual([{ add: [one], remove: [] }]);
  });

  it('tells what changed while a heartbeat was under way', async () => {
    const { announced, clock, leading, session } = await startSharing();
    const [one] = digests(1) as [Digest];
    const { renew } = leading;
    leading.renew = async (...args) => {
      if (args[1].announce?.add.length) session.announce([], [one]);
      return await renew(...args);
    };
    session.announce([one], []);
    await clock.advance(750);
    expect(announced()).toEqual([
      { add: [one], remove: [] },
      { add: [], remove: [one] },
    ]);
  });

  it('tells in pieces what is too long for one heartbeat, one after the other', async () => {
    const { announced, clock, session } = await startSharing();
    const all = digests(1_000);
    session.announce(all, []);
    await clock.advance(750);
    expect(announced().map(({ add }) => add.length)).toEqual([400, 400, 200]);
    expect(announced().flatMap(({ add }) => add)).toEqual(all);
    const longest = JSON.stringify(Array(400).fill(`sha512:${'0'.repeat(128)}`));
    expect(longest.length).toBeLessThan(60_000);
  });

  it('tells again what nobody confirmed', async () => {
    const { added, clock, forget, locks, session } = await startSharing();
    locks.loseReplies('renew');
    const all = digests(3);
    session.announce(all, []);
    await clock.advance(2_000);
    forget();
    locks.mend();
    await clock.advance(10_000);
    expect(new Set(added())).toEqual(new Set(all));
  });

  it('tells all it has to a server that started again, in pieces', async () => {
    const { announced, clock, forget, locks, session } = await startSharing();
    const all = digests(900);
    session.announce(all, []);
    await clock.advance(750);
    session.announce([], all.slice(0, 100));
    await clock.advance(750);
    forget();
    await locks.restart();
    await clock.advance(10_000);
    expect(announced().every(({ add }) => add.length <= 400)).toBe(true);
    expect(announced().every(({ remove }) => remove.length === 0)).toBe(true);
    expect(new Set(announced().flatMap(({ add }) => add))).toEqual(new Set(all.slice(100)));
  });

  it('tells all it has when its stream was broken: it may lead to another server now', async () => {
    const { added, clock, forget, locks, session } = await startSharing();
    const all = digests(5);
    session.announce(all, []);
    await clock.advance(750);
    forget();
    locks.breakStreams();
    await clock.advance(3_000);
    expect(new Set(added())).toEqual(new Set(all));
  });

  it('tells all it has when the server was out of reach', async () => {
    const { added, clock, forget, locks, session } = await startSharing();
    locks.refuseStreams();
    const all = digests(5);
    session.announce(all, []);
    await clock.advance(3_000);
    locks.cut();
    // Shorter than the server takes to forget the session.
    await clock.advance(8_000);
    forget();
    locks.mend();
    await clock.advance(10_000);
    expect(new Set(added())).toEqual(new Set(all));
  });

  it('tells all it has to a server that started again, where streams are refused', async () => {
    const { added, clock, forget, locks, session } = await startSharing();
    locks.refuseStreams();
    const all = digests(5);
    session.announce(all, []);
    await clock.advance(3_000);
    forget();
    await locks.restart();
    await clock.advance(3_000);
    expect(new Set(added())).toEqual(new Set(all));
  });

  it('does not ask a server that is out of reach more often because it has something to tell', async () => {
    const { clock, locks, session } = await startSharing();
    locks.cut();
    await clock.advance(20_000);
    const before = locks.calls.filter((call) => call === 'renew').length;
    session.announce(digests(1), []);
    await clock.advance(10_000);
    expect(locks.calls.filter((call) => call === 'renew').length - before).toBeLessThanOrEqual(2);
  });

  it('keeps what is announced before it is opened', async () => {
    const stage = createSessionStage();
    const leading = createLeadingLocks(stage.locks);
    const session = stage.open('node-a', { locks: leading });
    session.announce(digests(2), []);
    await stage.clock.advance(10_000);
    expect(leading.opened).toEqual([]);
    await session.connect(never);
    await stage.clock.advance(1_000);
    expect(leading.heartbeats.at(0)?.announce?.add).toEqual(digests(2));
  });
});

describe('the progress of a hold', () => {
  it('is told once a second while bytes flow, and with announcements', async () => {
    const { ask, clock, leading, session, forget } = await startSharing();
    const hold = holdOf(await ask(session));
    forget();
    const { total } = layerRequest;
    for (let second = 0; second < 10; second += 1) {
      hold.progress(Math.min(second, total));
      await clock.advance(1_000);
    }
    expect(leading.heartbeats.length).toBeGreaterThan(3);
    expect(leading.heartbeats.length).toBeLessThanOrEqual(10);
    session.announce(digests(1), []);
    hold.progress(total);
    await clock.advance(750);
    expect(leading.heartbeats.at(-1)).toMatchObject({
      held: [{ token: hold.token, offset: total, total }],
      announce: { add: digests(1) },
    });
  });
});
