import { expect, test } from 'vitest';
import { createThrottle } from '../../src/demo/throttle.ts';
import { createFakeClock } from '../support/fake-clock.ts';

test('bytes pass at the rate, for all callers together', async () => {
  const clock = createFakeClock();
  const throttle = createThrottle({ clock, bytesPerSecond: 1_000, burstBytes: 0 });
  const passed: string[] = [];
  void throttle.take(500).then(() => passed.push('a'));
  void throttle.take(500).then(() => passed.push('b'));
  await clock.advance(499);
  expect(passed).toEqual([]);
  await clock.advance(1);
  expect(passed).toEqual(['a']);
  await clock.advance(500);
  expect(passed).toEqual(['a', 'b']);
});

test('after a pause only the burst passes at once', async () => {
  const clock = createFakeClock();
  const throttle = createThrottle({ clock, bytesPerSecond: 1_000, burstBytes: 100 });
  await throttle.take(100);
  await clock.advance(60_000);
  await throttle.take(100);
  let passed = false;
  void throttle.take(100).then(() => {
    passed = true;
  });
  await clock.advance(99);
  expect(passed).toBe(false);
  await clock.advance(1);
  expect(passed).toBe(true);
});

test('a wait ends with the reason of its signal', async () => {
  const clock = createFakeClock();
  const throttle = createThrottle({ clock, bytesPerSecond: 1_000, burstBytes: 0 });
  const abort = new AbortController();
  const wait = throttle.take(1_000, abort.signal);
  abort.abort(new Error('enough'));
  await expect(wait).rejects.toThrow('enough');
  expect(clock.pending()).toBe(0);
});
