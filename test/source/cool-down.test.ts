import { describe, expect, it } from 'vitest';
import { createCoolDown } from '../../src/source/cool-down.ts';
import { createFakeClock } from '../support/fake-clock.ts';

describe('a server that is left alone', () => {
  it('is so for the usual time, and longer where it asked for that', async () => {
    const clock = createFakeClock();
    const coolDown = createCoolDown(clock, 60_000);
    coolDown.begin('a');
    coolDown.begin('b', 3_600_000);
    expect([coolDown.isOn('a'), coolDown.isOn('b'), coolDown.isOn('c')]).toEqual([true, true, false]);
    await clock.advance(60_000);
    expect([coolDown.isOn('a'), coolDown.isOn('b')]).toEqual([false, true]);
  });

  it('is not asked earlier than it said because it failed once more in another way', async () => {
    const clock = createFakeClock();
    const coolDown = createCoolDown(clock, 60_000);
    coolDown.begin('a', 3_600_000);
    await clock.advance(1_000);
    coolDown.begin('a');
    await clock.advance(120_000);
    expect(coolDown.isOn('a')).toBe(true);
    await clock.advance(3_600_000);
    expect(coolDown.isOn('a')).toBe(false);
  });
});
