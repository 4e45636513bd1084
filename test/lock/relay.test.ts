import { describe, expect, it } from 'vitest';
import { toNodeId, toSessionId, toToken } from '../../src/core/ids.ts';
import type { PeerSource } from '../../src/lock/locks.ts';
import { blobOf } from '../support/blobs.ts';
import { createRelayStage, heldBy, type RelayStage, settle, untilCalled } from '../support/relay-stage.ts';

const blob = blobOf('a layer');
const pull = { type: 'pull', resourceId: blob.digest, total: blob.size } as const;
const success = { success: true } as const;
const failure = { success: false, error: 'disk full', class: 'node' } as const;
const never = new AbortController().signal;
const peer: PeerSource = {
  ...{ kind: 'peer', url: 'http://10.0.0.7:7041', complete: false },
  ...{ sessionId: toSessionId('other'), nodeId: toNodeId('node-7') },
};

/** How the lock server sees the layer. */
async function upstreamView({ server }: RelayStage) {
  const [view] = await server.list({ prefix: blob.digest });
  return view;
}

describe('the locks of an agent', () => {
  it('take the lock at the lock server with the first local grant, and free it with its release', async () => {
    const stage = createRelayStage();
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    expect((await upstreamView(stage))?.holder?.nodeId).toBe('agent');
    await settle(stage.clock, hold.release(success));
    expect(await upstreamView(stage)).toMatchObject({ copies: [{ nodeId: 'agent' }] });
    expect((await upstreamView(stage))?.holder).toBeUndefined();
    expect(stage.done).toEqual([`pull ${blob.digest}`]);
  });

  it('let the next of the store go on when the holder failed, under a new lock of the lock server', async () => {
    const stage = createRelayStage();
    const [a, b] = [stage.local('a'), stage.local('b')];
    const hold = heldBy(await stage.ask(a, pull));
    const token = (await upstreamView(stage))?.holder?.token ?? 0;
    const waiting = await stage.ask(b, pull);
    expect(waiting).toMatchObject({ kind: 'queued', place: { holder: { nodeId: 'a' } } });
    await settle(stage.clock, hold.release(failure));
    await untilCalled(stage.clock, waiting);
    expect((await stage.ask(b, pull)).kind).toBe('granted');
    expect((await upstreamView(stage))?.holder?.token).toBeGreaterThan(token);
  });

  it('tell the lock server how far the local holder is, of how much', async () => {
    const stage = createRelayStage();
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    hold.progress(3);
    await stage.clock.advance(3_000);
    expect((await upstreamView(stage))?.holder).toMatchObject({ offset: 3, total: blob.size });
  });

  it('free the lock at the lock server when the local holder is gone without a word', async () => {
    const stage = createRelayStage();
    const sessionId = toSessionId('silent');
    await stage.relay.openSession({ sessionId, nodeId: toNodeId('a') });
    const request = { type: 'pull', resourceId: blob.digest, nodeId: toNodeId('a'), sessionId } as const;
    expect((await settle(stage.clock, stage.relay.acquire(request))).kind).toBe('granted');
    await stage.clock.advance(16_000);
    expect((await upstreamView(stage))?.holder).toBeUndefined();
  });

  it('give back a lock that was declined', async () => {
    const stage = createRelayStage();
    const sessionId = toSessionId('one');
    await stage.relay.openSession({ sessionId, nodeId: toNodeId('a') });
    const request = { type: 'pull', resourceId: blob.digest, nodeId: toNodeId('a'), sessionId } as const;
    await settle(stage.clock, stage.relay.acquire(request));
    await stage.relay.decline(request);
    await stage.clock.advance(0);
    expect((await upstreamView(stage))?.holder).toBeUndefined();
  });

  it('decline at the lock server what a local holder declines: another of the domain goes on without an error', async () => {
    const stage = createRelayStage();
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    const other = stage.other('b');
    const waiting = await stage.ask(other, pull);
    await settle(stage.clock, hold.decline());
    await untilCalled(stage.clock, waiting);
    heldBy(await stage.ask(other, pull));
    expect((await upstreamView(stage))?.lastError).toBeUndefined();
  });

  it('let a local holder wait behind somebody who has the lock at the lock server, then call it', async () => {
    const stage = createRelayStage();
    const first = heldBy(await stage.ask(stage.other('elsewhere'), pull));
    const a = stage.local('a');
    const reply = await stage.ask(a, pull);
    if (reply.kind !== 'queued') throw new Error(`expected a place, got ${reply.kind}`);
    expect(reply.place).toMatchObject({ position: 1, holder: { nodeId: 'elsewhere' } });
    await stage.clock.advance(12_000);
    await settle(stage.clock, first.release(failure));
    await untilCalled(stage.clock, reply);
    expect((await stage.ask(a, pull)).kind).toBe('granted');
    expect((await upstreamView(stage))?.holder?.nodeId).toBe('agent');
  });

  it('show such a wait to a session that only sends heartbeats', async () => {
    const stage = createRelayStage();
    heldBy(await stage.ask(stage.other('elsewhere'), pull));
    const sessionId = toSessionId('one');
    await stage.relay.openSession({ sessionId, nodeId: toNodeId('a') });
    const request = { type: 'pull', resourceId: blob.digest, nodeId: toNodeId('a'), sessionId } as const;
    expect((await settle(stage.clock, stage.relay.acquire(request))).kind).toBe('queued');
    const snapshot = await stage.relay.renew(sessionId, { held: [] });
    expect(snapshot).toMatchObject({
      granted: [],
      queued: [{ position: 1, holder: { nodeId: 'elsewhere' } }],
    });
  });

  it('give up the place at the lock server with the local one', async () => {
    const stage = createRelayStage();
    heldBy(await stage.ask(stage.other('elsewhere'), pull));
    const reply = await stage.ask(stage.local('a'), pull);
    if (reply.kind !== 'queued') throw new Error(`expected a place, got ${reply.kind}`);
    expect((await upstreamView(stage))?.queue).toHaveLength(1);
    await settle(stage.clock, reply.place.decline());
    await stage.clock.advance(0);
    expect((await upstreamView(stage))?.queue).toEqual([]);
  });

  it('bring a layer that the lock server has a record of and the store has not', async () => {
    const stage = createRelayStage();
    const other = heldBy(await stage.ask(stage.other('elsewhere'), pull));
    await settle(stage.clock, other.release(success));
    expect((await stage.ask(stage.local('a'), pull)).kind).toBe('granted');
    expect((await upstreamView(stage))?.holder?.nodeId).toBe('agent');
  });

  it('let who finds the layer in the store look for it, without the lock server', async () => {
    const stage = createRelayStage({ blobs: [blob.digest] });
    const other = heldBy(await stage.ask(stage.other('elsewhere'), pull));
    await settle(stage.clock, other.release(success));
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    expect((await upstreamView(stage))?.holder).toBeUndefined();
    await settle(stage.clock, hold.release(success));
    expect((await stage.ask(stage.local('b'), pull)).kind).toBe('skip');
  });

  it('pass on that the content is refused, to all of the store', async () => {
    const stage = createRelayStage();
    const broken = { success: false, error: 'no such blob', class: 'content' } as const;
    for (const name of ['x', 'y']) {
      const other = heldBy(await stage.ask(stage.other(name), pull));
      await settle(stage.clock, other.release(broken));
    }
    const refused = { kind: 'refused', reason: 'content', message: expect.stringContaining('no such blob') };
    expect(await stage.ask(stage.local('a'), pull)).toMatchObject(refused);
    expect(await stage.ask(stage.local('b'), pull)).toMatchObject(refused);
  });

  it('revoke the local lock when the lock server gives it away', async () => {
    const stage = createRelayStage();
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    const { sessionId } = stage.upstream;
    const token = (await upstreamView(stage))?.holder?.token;
    const outcome = { ...failure, error: 'no progress for 20 s' };
    const release = { type: 'pull', resourceId: blob.digest, nodeId: toNodeId('agent'), sessionId } as const;
    await stage.server.release({ ...release, ...(token ? { token } : {}), outcome });
    hold.progress(1);
    await stage.clock.advance(6_000);
    expect(hold.revoked.aborted).toBe(true);
    expect((await stage.relay.list({ prefix: blob.digest }))[0]?.holder).toBeUndefined();
  });

  it('go on without the lock server when it is out of reach, and with it again when it is back', async () => {
    const stage = createRelayStage();
    await stage.ask(stage.local('first'), { ...pull, resourceId: blobOf('another').digest });
    stage.cut(true);
    const a = stage.local('a');
    const reply = await stage.ask(a, pull);
    await untilCalled(stage.clock, reply);
    const hold = heldBy(await stage.ask(a, pull));
    expect(hold.source).toEqual({ kind: 'registry' });
    expect((await stage.relay.list({ prefix: blob.digest }))[0]?.holder?.nodeId).toBe('a');
    await settle(stage.clock, hold.release(failure));
    stage.cut(false);
    await stage.clock.advance(10_000);
    heldBy(await stage.ask(stage.local('b'), pull));
    expect((await upstreamView(stage))?.holder?.nodeId).toBe('agent');
  });
});

describe('where the holders of an agent read', () => {
  it('is what the lock server says: at the grant, when it moves them, and when they ask', async () => {
    const next: PeerSource = { ...peer, url: 'http://10.0.0.8:7041', sessionId: toSessionId('next') };
    const stage = createRelayStage({ source: peer, sources: [{ kind: 'source', source: next }] });
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    expect(hold.source).toEqual(peer);
    const bad = { sessionId: peer.sessionId, reason: 'sends wrong content', wrongBytes: true };
    const report = { offset: 0, bad, restarts: 1 };
    expect(await settle(stage.clock, hold.guide.next(report, never))).toEqual(next);
    expect(stage.reports).toEqual([report]);
  });

  it('is asked for once at the lock server while it lets them wait, however often they ask', async () => {
    const waits = Array.from({ length: 8 }, () => ({ kind: 'wait', retryMs: 1_000 }) as const);
    const stage = createRelayStage({ source: peer, sources: [...waits, { kind: 'source', source: peer }] });
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    expect(await settle(stage.clock, hold.guide.next({ offset: 2 }, never))).toEqual(peer);
    expect(stage.reports).toHaveLength(9);
  });

  it('is asked for anew when the one who asks has begun again', async () => {
    const waits = Array.from({ length: 2 }, () => ({ kind: 'wait', retryMs: 10_000 }) as const);
    const stage = createRelayStage({ source: peer, sources: [...waits, { kind: 'source', source: peer }] });
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    const giving = new AbortController();
    const first = hold.guide.next({ offset: 2 }, giving.signal);
    await stage.clock.advance(1_000);
    giving.abort(new Error('moved'));
    await expect(first).rejects.toThrow('moved');
    expect(await settle(stage.clock, hold.guide.next({ offset: 0, restarts: 1 }, never))).toEqual(peer);
    const again = { offset: 0, restarts: 1 };
    expect(stage.reports).toEqual([{ offset: 2 }, again, again]);
  });

  it('is the business of who holds the lock, and of nobody else', async () => {
    const stage = createRelayStage();
    const hold = heldBy(await stage.ask(stage.local('a'), pull));
    const request = { sessionId: toSessionId('stranger'), resourceId: blob.digest, offset: 0 };
    const token = hold.token ?? toToken(0);
    expect((await stage.relay.sources({ ...request, token })).kind).toBe('not-holder');
    expect((await stage.relay.sources({ ...request, token: toToken(7) })).kind).toBe('not-holder');
  });
});

describe('an agent that comes after another', () => {
  it('takes up what local holders bring back, and asks the lock server for it', async () => {
    const stage = createRelayStage({ recoveryMs: 1_000 });
    const sessionId = toSessionId('from-before');
    await stage.relay.openSession({ sessionId, nodeId: toNodeId('a') });
    const held = { type: 'pull', resourceId: blob.digest, token: toToken(5), offset: 4, total: 7 } as const;
    const snapshot = await stage.relay.renew(sessionId, { held: [held] });
    expect(snapshot.granted).toMatchObject([{ token: 5 }]);
    await stage.clock.advance(2_000);
    expect((await upstreamView(stage))?.holder).toMatchObject({ nodeId: 'agent', offset: 4, total: 7 });
  });

  it('leaves them at work while the lock server still has the lock of the one before', async () => {
    const stage = createRelayStage({ recoveryMs: 1_000 });
    const before = heldBy(await stage.ask(stage.other('agent before'), pull));
    const sessionId = toSessionId('from-before');
    await stage.relay.openSession({ sessionId, nodeId: toNodeId('a') });
    const held = { type: 'pull', resourceId: blob.digest, token: toToken(5), offset: 4, total: 7 } as const;
    const renew = () => stage.relay.renew(sessionId, { held: [held] });
    await renew();
    await stage.clock.advance(2_000);
    expect((await renew()).granted).toMatchObject([{ token: 5 }]);
    await settle(stage.clock, before.release(failure));
    await stage.clock.advance(1_000);
    expect((await upstreamView(stage))?.holder?.nodeId).toBe('agent');
  });
});
