import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { toNodeId, toSessionId, toStoreId } from '../../../src/core/ids.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { createMetrics } from '../../../src/lock/server/metrics.ts';
import { createLockServer } from '../../../src/lock/server/server.ts';
import { layer } from '../../conformance/locks/layers.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { ask } from './support.ts';

function start() {
  const clock = createFakeClock();
  const metrics = createMetrics('1.2.3');
  const locks = createMemoryLocks({ clock, recoveryMs: 0, observe: metrics.observe });
  metrics.countWith(() => locks.counts());
  onCleanup(() => locks.close());
  const pull = (node: string) => ({ type: 'pull' as const, resourceId: layer, nodeId: toNodeId(node) });
  return { clock, metrics, locks, pull };
}

/** Lines of one measurement, without those of the program itself. */
async function linesOf(text: Promise<string>, name: string): Promise<string[]> {
  return (await text).split('\n').filter((line) => line.startsWith(name));
}

const failure = { success: false, error: 'broken', class: 'node' } as const;

describe('the metrics', () => {
  it('count grants, waits, skips and hand-overs, with how long they took', async () => {
    const { clock, metrics, locks, pull } = start();
    await locks.acquire(pull('a'));
    await locks.acquire(pull('b'));
    await locks.acquire(pull('c'));
    await clock.advance(2_000);
    await locks.release({ ...pull('a'), outcome: failure });
    await locks.status(pull('b'));
    await locks.release({ ...pull('b'), outcome: { success: true } });
    const told = (name: string) => linesOf(metrics.text(), `layerpull_lock_${name}`);
    expect(await told('grants_total')).toEqual(['layerpull_lock_grants_total{type="pull"} 2']);
    expect(await told('queued_total')).toEqual(['layerpull_lock_queued_total{type="pull"} 2']);
    expect(await told('skips_total')).toEqual(['layerpull_lock_skips_total{type="pull"} 1']);
    expect(await told('handovers_total')).toEqual([
      'layerpull_lock_handovers_total{type="pull",reason="failure"} 1',
    ]);
    expect(await told('ends_total')).toEqual([
      'layerpull_lock_ends_total{type="pull",end="failure"} 1',
      'layerpull_lock_ends_total{type="pull",end="success"} 1',
    ]);
    expect(await told('hold_seconds_sum')).toEqual(['layerpull_lock_hold_seconds_sum{type="pull"} 2']);
    expect(await told('wait_seconds_count')).toEqual(['layerpull_lock_wait_seconds_count{type="pull"} 3']);
  });

  it('count a lock that moves with its session to another store as one hold, and as handed over where it was', async () => {
    const { clock, metrics, locks, pull } = start();
    const a = { nodeId: toNodeId('a'), sessionId: toSessionId('a') };
    await locks.openSession(a);
    await locks.acquire({ ...pull('a'), ...a });
    await locks.acquire(pull('b'));
    await clock.advance(2_000);
    await locks.openSession({ ...a, storeId: toStoreId('copy') });
    await locks.status(pull('b'));
    await locks.release({ ...pull('a'), ...a, outcome: { success: true } });
    const told = (name: string) => linesOf(metrics.text(), `layerpull_lock_${name}`);
    expect(await told('grants_total')).toEqual(['layerpull_lock_grants_total{type="pull"} 2']);
    expect(await told('ends_total')).toEqual(['layerpull_lock_ends_total{type="pull",end="success"} 1']);
    expect(await told('handovers_total')).toEqual([
      'layerpull_lock_handovers_total{type="pull",reason="lost"} 1',
    ]);
  });

  it('count what is held and waited for as it stands', async () => {
    const { metrics, locks, pull } = start();
    await locks.openSession({ nodeId: toNodeId('s') });
    for (const node of ['a', 'b', 'c']) await locks.acquire(pull(node));
    const text = metrics.text();
    expect(await linesOf(text, 'layerpull_sessions')).toEqual(['layerpull_sessions 1']);
    expect(await linesOf(text, 'layerpull_lock_held')).toEqual(['layerpull_lock_held 1']);
    expect(await linesOf(text, 'layerpull_lock_waiting')).toEqual(['layerpull_lock_waiting 2']);
    expect(await linesOf(text, 'layerpull_lock_longest_queue')).toEqual(['layerpull_lock_longest_queue 2']);
  });

  it('tell how far one of several servers is, and nothing of that where there is one', async () => {
    const { metrics } = start();
    expect(await linesOf(metrics.text(), 'layerpull_etcd_')).toEqual([]);
    let figures = { seats: 3, entriesWritten: 7, applyLagMs: 20 };
    metrics.clusterWith(() => figures);
    expect((await linesOf(metrics.text(), 'layerpull_etcd_')).toSorted()).toEqual([
      'layerpull_etcd_apply_lag_seconds 0.02',
      'layerpull_etcd_entries_total 7',
      'layerpull_etcd_seats 3',
    ]);
    figures = { ...figures, entriesWritten: 9 };
    expect(await linesOf(metrics.text(), 'layerpull_etcd_entries_total')).toEqual([
      'layerpull_etcd_entries_total 9',
    ]);
  });

  it('tell the version, commits and the lag of the event loop', async () => {
    const { metrics } = start();
    metrics.committed(3);
    expect(await linesOf(metrics.text(), 'layerpull_build_info')).toEqual([
      'layerpull_build_info{version="1.2.3"} 1',
    ]);
    expect(await linesOf(metrics.text(), 'layerpull_lock_commit_seconds_sum')).toEqual([
      'layerpull_lock_commit_seconds_sum 0.003',
    ]);
    expect(await linesOf(metrics.text(), 'nodejs_eventloop_lag_seconds ')).toHaveLength(1);
  });

  it('are served as text for Prometheus, where there are any', async () => {
    const { metrics, locks } = start();
    const serverOf = async (options: { metrics?: typeof metrics }) => {
      const server = createLockServer({ locks, clock: systemClock, ...options });
      onCleanup(() => server.close());
      const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
      return await ask(url, 'GET', '/metrics');
    };
    const reply = await serverOf({ metrics });
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    });
    expect(reply.text).toContain('# HELP layerpull_lock_grants_total');
    expect((await serverOf({})).status).toBe(404);
  });
});
