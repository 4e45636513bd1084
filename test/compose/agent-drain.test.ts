import { describe, expect, it } from 'vitest';
import { drain } from '../../src/compose/agent-drain.ts';
import { silentLog } from '../../src/core/log.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function setUp() {
  const clock = createFakeClock();
  const state = { children: 0, readers: 0, told: 0 };
  const mirror = {
    isBusy: false,
    answers: 0,
    isDrained: false,
    drain() {
      mirror.isDrained = true;
    },
  };
  const upstream = {
    drain: async () => {
      state.told += 1;
    },
    children: () => state.children,
  };
  const start = (parts: { readonly isAlone?: boolean } = {}) => {
    const ended = { is: false };
    const readers = () => state.readers;
    const server = parts.isAlone ? undefined : upstream;
    void drain({ upstream: server, readers, clients: [mirror], clock, log: silentLog }, 10_000).then(() => {
      ended.is = true;
    });
    return ended;
  };
  return { clock, state, mirror, start };
}

describe('draining', () => {
  it('tells the lock server, and ends at once where nobody reads', async () => {
    const { clock, state, start } = setUp();
    const ended = start();
    await clock.advance(0);
    expect([ended.is, state.told]).toEqual([true, 1]);
  });

  it('waits for readers, and for those who are told to read from here', async () => {
    const { clock, state, start } = setUp();
    Object.assign(state, { children: 1, readers: 1 });
    const ended = start();
    await clock.advance(2_000);
    state.readers = 0;
    await clock.advance(2_000);
    expect(ended.is).toBe(false);
    state.children = 0;
    await clock.advance(200);
    expect(ended.is).toBe(true);
  });

  it('lets no pull begin at the mirror, and waits for those who are in the middle of one', async () => {
    const { clock, mirror, start } = setUp();
    mirror.isBusy = true;
    const ended = start({ isAlone: true });
    await clock.advance(2_000);
    expect([ended.is, mirror.isDrained]).toEqual([false, true]);
    mirror.isBusy = false;
    await clock.advance(200);
    expect(ended.is).toBe(true);
  });

  it('waits no longer than it may', async () => {
    const { clock, state, start } = setUp();
    state.readers = 1;
    const ended = start({ isAlone: true });
    await clock.advance(9_000);
    expect(ended.is).toBe(false);
    await clock.advance(1_500);
    expect(ended.is).toBe(true);
  });
});
