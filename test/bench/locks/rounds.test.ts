import { describe, expect, test } from 'vitest';
import { measureCrowd } from '../../../bench/lib/locks/crowd.ts';
import { etcdHandOffs } from '../../../bench/lib/locks/etcd-handoff.ts';
import { etcdWaiters } from '../../../bench/lib/locks/etcd-waiters.ts';
import { handOffs } from '../../../bench/lib/locks/handoff-rounds.ts';
import { startServer } from '../../../bench/lib/locks/server.ts';
import { describeWith } from '../../support/components.ts';
import { tempDir } from '../../support/temp.ts';

describe('the rounds of the bench of locks', () => {
  test('hand one lock on among waiters', async () => {
    const server = await startServer({ dataDir: tempDir() });
    const samples = await handOffs(server.url, 3, 0.2);
    expect(samples.length).toBeGreaterThan(0);
    expect(samples.every((sample) => sample.fromRequestMs >= sample.fromAnswerMs)).toBe(true);
    await server.stop();
  });

  test('find every waiter in its place after the server was killed', async () => {
    const crowd = await measureCrowd(5, { settleMs: 0 });
    expect(crowd.placesLost).toBe(0);
    expect([crowd.completionsMs.length, crowd.freshCompletionsMs.length]).toEqual([15, 5]);
    expect(crowd.residentBytes).toBeGreaterThan(1_024 ** 2);
  });
});

describeWith(['etcd'], 'the same rounds on etcd', () => {
  test('hand one lock on among waiters', async () => {
    const samples = await etcdHandOffs(3, 0.2);
    expect(samples?.length).toBeGreaterThan(0);
  });

  test('reach every waiter', async () => {
    const waiters = await etcdWaiters(5);
    expect(waiters?.completionsMs).toHaveLength(15);
  });
});
