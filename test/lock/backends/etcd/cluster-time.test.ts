import { expect, it } from 'vitest';
import { ClusterTime } from '../../../../src/lock/backends/etcd/cluster-time.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

it('time of the cluster goes on by the own clock, from the latest that was heard, and never back', async () => {
  const clock = createFakeClock();
  const time = new ClusterTime(clock, 5_000);
  await clock.advance(1_000);
  expect(time.now()).toBe(6_000);
  time.heard(5_500);
  expect(time.now()).toBe(6_000);
  time.heard(9_000);
  expect(time.now()).toBe(9_000);
  await clock.advance(250);
  expect([time.now(), time.asClock().now()]).toEqual([9_250, 9_250]);
  expect(time.asClock().wallNow()).toBe(clock.wallNow());
});

it('time of the cluster is in whole milliseconds', () => {
  const clock = { ...createFakeClock(), now: () => 0.4 };
  const time = new ClusterTime(clock, 10);
  time.heard(12);
  expect(Number.isInteger(time.now())).toBe(true);
  expect(time.now()).toBe(12);
});
