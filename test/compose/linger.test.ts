import { describe, expect, it } from 'vitest';
import { linger } from '../../src/compose/linger.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function setUp({ children = 0, readers = 0 } = {}) {
  const clock = createFakeClock();
  const now = { children, readers, bytes: 0, drained: 0, stays: 0, isOver: false };
  const abort = new AbortController();
  const begin = (lingerMs = 30_000, drain?: () => Promise<void>) => {
    const work = linger({
      served: { readers: () => now.readers, bytesSent: () => now.bytes },
      session: {
        drain:
          drain ??
          (async () => {
            now.drained += 1;
          }),
        get children() {
          return now.children;
        },
      },
      ...{ clock, lingerMs, signal: abort.signal },
      onStay: () => {
        now.stays += 1;
      },
    });
    return work.then(() => {
      now.isOver = true;
    });
  };
  return { clock, now, abort, begin };
}

describe('staying for those who read', () => {
  it('ends at once when nobody does, and has told before that nobody shall come', async () => {
    const { now, begin, clock } = setUp();
    await begin();
    expect(now).toMatchObject({ drained: 1, stays: 0 });
    expect(clock.pending()).toBe(0);
  });

  it('lasts until the last one has gone', async () => {
    const { now, begin, clock } = setUp({ children: 1 });
    const work = begin();
    await clock.advance(1_000);
    Object.assign(now, { children: 0, readers: 1 });
    await clock.advance(1_000);
    expect(now).toMatchObject({ isOver: false, stays: 1 });
    now.readers = 0;
    await clock.advance(50);
    await work;
    expect(clock.pending()).toBe(0);
  });

  it('asks the lock server again as soon as nobody reads, until those who were sent are done', async () => {
    const { now, begin, clock } = setUp({ children: 1, readers: 1 });
    const work = begin();
    await clock.advance(3_000);
    expect(now.drained).toBe(1);
    now.readers = 0;
    await clock.advance(50);
    expect(now.drained).toBe(2);
    now.children = 0;
    await clock.advance(50);
    await work;
    expect(clock.pending()).toBe(0);
  });

  it('asks at most four times a second, and not while a question is open', async () => {
    const { now, begin, clock, abort } = setUp({ children: 1 });
    const work = begin();
    await clock.advance(5_000);
    expect(now.drained).toBeGreaterThan(15);
    expect(now.drained).toBeLessThanOrEqual(21);
    abort.abort();
    await work;
    const frozen = setUp({ children: 1 });
    let asked = 0;
    const second = frozen.begin(30_000, async () => {
      asked += 1;
      if (asked > 1) await new Promise(() => {});
    });
    await frozen.clock.advance(5_000);
    expect(asked).toBe(2);
    frozen.abort.abort();
    await second;
  });

  it.each([
    ['one that was sent and never reads', { children: 1 }, 10_000],
    ['one that reads and takes nothing', { children: 1, readers: 1 }, 10_000],
    ['sooner one that takes nothing and that the lock server does not know of', { readers: 1 }, 5_000],
  ])('leaves %s', async (_, left, afterMs) => {
    const { now, begin, clock } = setUp(left);
    const work = begin(10_000);
    await clock.advance(afterMs - 100);
    expect(now.isOver).toBe(false);
    await clock.advance(200);
    await work;
  });

  it('lasts as long as somebody gets on, and no longer', async () => {
    const { now, begin, clock } = setUp({ children: 2, readers: 1 });
    const work = begin(10_000);
    for (let turn = 0; turn < 5; turn += 1) {
      now.bytes += 1;
      await clock.advance(9_000);
    }
    expect(now.isOver).toBe(false);
    await clock.advance(1_500);
    await work;
    expect(now.isOver).toBe(true);
  });

  it('ends at once with the signal, also before the lock server answers', async () => {
    const talking = setUp({ readers: 1 });
    const first = talking.begin();
    await talking.clock.advance(500);
    talking.abort.abort();
    await first;
    const silent = setUp({ readers: 1 });
    const second = silent.begin(30_000, () => new Promise(() => {}));
    silent.abort.abort();
    await second;
    expect(silent.now.stays).toBe(0);
  });

  it('does not happen where it is turned off', async () => {
    const { now, begin } = setUp({ children: 3 });
    await begin(0);
    expect(now.drained).toBe(0);
  });
});
