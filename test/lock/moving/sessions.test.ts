import { describe, expect, it } from 'vitest';
import type { LayerpullError } from '../../../src/core/errors.ts';
import type { Place, PlaceChange } from '../../../src/lock/locks.ts';
import type { LockSession } from '../../../src/lock/session.ts';
import type { SessionBounds } from '../../../src/lock/session-bounds.ts';
import { blobOf } from '../../support/blobs.ts';
import { type ClusterServer, type LockCluster, startLockCluster } from '../../support/lock-cluster.ts';
import { patienceMs } from '../../support/patience.ts';
import { failure, holdOf, layerRequest, placeOf, success } from '../../support/session-stage.ts';

const inTime = () => AbortSignal.timeout(patienceMs);

function serverOf(cluster: LockCluster, index: number): ClusterServer {
  const server = cluster.servers[index];
  if (!server) throw new Error(`there is no server ${index}`);
  return server;
}

/** What a wait comes to, however often the place moves before. */
async function outcomeOf(place: Place): Promise<PlaceChange> {
  for (;;) {
    const change = await place.next(inTime());
    if (change.kind !== 'moved') return change;
  }
}

function granted({ news }: LockCluster): unknown[] {
  return news.filter(({ what }) => what === 'granted').map(({ token }) => token);
}

/** A busy machine may need longer for three in one process than a node waits for all servers. */
const patient = { firstContactMs: 30_000, outOfReachMs: 30_000 };

/** A holder and two who wait, all at the first server. */
async function setUp(bounds: Partial<SessionBounds> = patient) {
  const cluster = await startLockCluster(3, { heartbeatMs: 1_000 });
  const warnings: LayerpullError[] = [];
  const onWarning = (warning: LayerpullError) => void warnings.push(warning);
  const open = (name: string): LockSession => cluster.open(name, { onWarning, bounds });
  const sessions = { a: open('node-a'), b: open('node-b'), c: open('node-c') };
  const hold = holdOf(await sessions.a.acquire(layerRequest, inTime()));
  const second = placeOf(await sessions.b.acquire(layerRequest, inTime()));
  const third = placeOf(await sessions.c.acquire(layerRequest, inTime()));
  const first = serverOf(cluster, 0);
  await expect.poll(() => first.streams).toBe(3);
  return { cluster, warnings, ...sessions, hold, second, third, first, next: serverOf(cluster, 1) };
}

const faults: readonly [string, (server: ClusterServer) => unknown][] = [
  ['is killed', (server) => server.kill()],
  ['freezes', (server) => server.freeze()],
  ['answers 503 and ends its streams', (server) => server.fail()],
  ['answers 503 while its streams go on', (server) => server.failRequests()],
];

describe.each(faults)('when a server of three %s', (_, fail) => {
  it('holders keep their locks, waiters their places, and each grant comes once', async () => {
    const { cluster, warnings, b, c, hold, second, third, first, next } = await setUp();
    await fail(first);
    await expect.poll(() => next.streams).toBe(3);
    expect([second.position, third.position, hold.revoked.aborted]).toEqual([1, 2, false]);
    const called = outcomeOf(second);
    await hold.release(failure);
    expect((await called).kind).toBe('granted');
    const other = holdOf(await b.acquire(layerRequest, inTime()));
    const ended = outcomeOf(third);
    await other.release(success);
    expect(await ended).toEqual({ kind: 'ended' });
    expect(await c.acquire(layerRequest, inTime())).toMatchObject({ kind: 'skip', by: { nodeId: 'node-b' } });
    expect(granted(cluster)).toEqual([hold.token, other.token]);
    expect(next.calls.filter((name) => name === 'openSession')).toEqual([]);
    expect(warnings).toEqual([]);
    expect(cluster.service.counts()).toMatchObject({ sessions: 3, held: 0, waiting: 0 });
  });

  it('what happens while nobody listens is known afterwards', async () => {
    const { cluster, warnings, b, hold, second, third, first } = await setUp();
    const called = outcomeOf(second);
    const failing = fail(first);
    await hold.release(failure);
    await failing;
    expect((await called).kind).toBe('granted');
    const other = holdOf(await b.acquire(layerRequest, inTime()));
    const ended = outcomeOf(third);
    await other.release(success);
    expect(await ended).toEqual({ kind: 'ended' });
    expect(granted(cluster)).toEqual([hold.token, other.token]);
    expect(warnings).toEqual([]);
  });
});

describe('a server that was frozen and goes on', () => {
  it('gets nobody back, and takes nothing from anybody', async () => {
    const { cluster, warnings, b, hold, second, first, next } = await setUp();
    first.freeze();
    await expect.poll(() => next.streams).toBe(3);
    first.thaw();
    await expect.poll(() => first.streams).toBe(0);
    const called = outcomeOf(second);
    await hold.release(failure);
    expect((await called).kind).toBe('granted');
    const before = first.calls.length;
    const other = holdOf(await b.acquire(layerRequest, inTime()));
    await other.release(success);
    expect([first.calls.length, first.streams, next.streams]).toEqual([before, 0, 3]);
    expect(granted(cluster)).toEqual([hold.token, other.token]);
    expect(warnings).toEqual([]);
  });
});

describe('a session at several servers', () => {
  const ways = [
    ['the first two are frozen', [0, 1]],
    ['the first is frozen, and the second gone', [0], [1]],
    ['the first is gone, and the second frozen', [1], [0]],
    ['the first two are gone', [], [0, 1]],
  ] as const;

  it.each(ways)('makes its first contact where %s', async (_, frozen, gone: readonly number[] = []) => {
    const cluster = await startLockCluster(3);
    for (const index of frozen) serverOf(cluster, index).freeze();
    for (const index of gone) await serverOf(cluster, index).kill();
    // Less than the timeout of a request, and more than a busy machine needs for the three seconds that are meant.
    const bounds = { firstContactMs: 15_000 };
    const session = cluster.open('node-a', { onLockFailure: 'fail', bounds });
    const hold = holdOf(await session.acquire(layerRequest, inTime()));
    expect(hold.token).toBeDefined();
    await expect.poll(() => serverOf(cluster, 2).streams).toBe(1);
    await hold.release(success);
    expect(cluster.service.counts()).toMatchObject({ held: 0 });
  });

  it('goes on alone where none is left, says so once, and uses the first that comes back', async () => {
    const { cluster, warnings, b, c, second, third } = await setUp({});
    for (const server of cluster.servers) server.freeze();
    expect(await outcomeOf(second)).toEqual({ kind: 'ended' });
    expect(await outcomeOf(third)).toEqual({ kind: 'ended' });
    const alone = holdOf(await b.acquire(layerRequest, inTime()));
    expect(alone.token).toBeUndefined();
    await expect.poll(() => warnings.map(({ code }) => code)).toEqual(Array(3).fill('lock_unreachable'));
    serverOf(cluster, 2).thaw();
    await expect.poll(() => serverOf(cluster, 2).streams).toBe(3);
    await alone.release(success);
    const { digest: resourceId, size: total } = blobOf('another layer');
    const asked = await c.acquire({ type: 'pull', resourceId, total }, inTime());
    expect(holdOf(asked).token).toBeDefined();
  });
});

describe('two hundred sessions at three servers of which one is killed', () => {
  it('spread over the other two, and none of them is lost', async () => {
    const cluster = await startLockCluster(3);
    const warnings: LayerpullError[] = [];
    const onWarning = (warning: LayerpullError) => void warnings.push(warning);
    // All of them live in this one process, which has to get round to each.
    const bounds = { firstContactMs: patienceMs, outOfReachMs: patienceMs };
    const options = { onWarning, bounds };
    const open = (_: unknown, index: number) =>
      cluster.open(`node-${index}`, options, { random: Math.random });
    const sessions = Array.from({ length: 200 }, open);
    const [leader, ...rest] = sessions;
    if (!leader) throw new Error('there are 200');
    const hold = holdOf(await leader.acquire(layerRequest, inTime()));
    const places = await Promise.all(
      rest.map(async (session) => placeOf(await session.acquire(layerRequest, inTime()))),
    );
    const streams = () => cluster.servers.map((server) => server.streams);
    const sum = () => streams().reduce((all, one) => all + one, 0);
    await expect.poll(sum).toBe(200);
    for (const count of streams()) expect(count).toBeGreaterThan(30);
    await serverOf(cluster, 0).kill();
    await expect
      .poll(() =>
        streams()
          .slice(1)
          .reduce((all, one) => all + one, 0),
      )
      .toBe(200);
    for (const count of streams().slice(1)) expect(count).toBeGreaterThan(60);
    const ends = places.map(outcomeOf);
    await hold.release(success);
    expect(new Set((await Promise.all(ends)).map(({ kind }) => kind))).toEqual(new Set(['ended']));
    const replies = await Promise.all(rest.map((session) => session.acquire(layerRequest, inTime())));
    expect(new Set(replies.map(({ kind }) => kind))).toEqual(new Set(['skip']));
    expect(granted(cluster)).toEqual([hold.token]);
    expect(warnings).toEqual([]);
    expect(cluster.service.counts()).toMatchObject({ sessions: 200, held: 0, waiting: 0 });
  });
});
