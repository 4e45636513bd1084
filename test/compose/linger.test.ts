import { describe, expect, it } from 'vitest';
import { linger } from '../../src/compose/linger.ts';
import { createFakeClock } from '../support/fake-clock.ts';

interface Given {
  readonly children?: number;
  readonly readers?: number;
  readonly sentMs?: number;
  /** What the lock server answers, in place of nothing. */
  readonly onAsk?: (what: 'welcome' | 'drain') => Promise<void> | undefined;
}

function setUp({ children = 0, readers = 0, sentMs = Number.NEGATIVE_INFINITY, onAsk }: Given = {}) {
  const clock = createFakeClock();
  const now = { children, readers, sentMs, stays: 0, isOver: false };
  const told: string[] = [];
  const abort = new AbortController();
  const tell = async (what: 'welcome' | 'drain') => {
    told.push(what);
    await onAsk?.(what);
  };
  const begin = (lingerMs = 30_000) => {
    const work = linger({
      served: { readers: () => now.readers, lastSentMs: () => now.sentMs },
      session: {
        welcome: () => tell('welcome'),
        drain: () => tell('drain'),
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
  /** Somebody gets a byte every second. */
  const sendFor = async (ms: number) => {
    for (let leftMs = ms; leftMs > 0; leftMs -= 1_000) {
      now.sentMs = clock.now();
      await clock.advance(Math.min(leftMs, 1_000));
    }
  };
  return { clock, now, told, abort, begin, sendFor };
}

describe('staying for those who read', () => {
  it('ends at once when nobody does, and has told before that nobody shall come', async () => {
    const { now, told, begin, clock } = setUp();
    await begin();
    expect([told, now.stays]).toEqual([['drain'], 0]);
    expect(clock.pending()).toBe(0);
  });

  it('lasts until the last one has gone, and others are sent here all the time', async () => {
    const { now, told, begin, clock } = setUp({ children: 1 });
    const work = begin();
    await clock.advance(1_000);
    Object.assign(now, { children: 0, readers: 1 });
    await clock.advance(1_000);
    expect(now).toMatchObject({ isOver: false, stays: 1 });
    expect(told).not.toContain('drain');
    now.readers = 0;
    await clock.advance(50);
    await work;
    expect(told.filter((what) => what === 'drain')).toHaveLength(1);
    expect(clock.pending()).toBe(0);
  });

  it('waits a moment for one that reads from nobody between two layers, and says nothing of it', async () => {
    const { now, told, begin, clock, abort } = setUp({ sentMs: 0 });
    const work = begin();
    await clock.advance(200);
    expect(now).toMatchObject({ isOver: false, stays: 0 });
    now.children = 1;
    await clock.advance(4_000);
    expect(now).toMatchObject({ isOver: false, stays: 1 });
    expect(told).not.toContain('drain');
    abort.abort();
    await work;
    const second = setUp({ sentMs: 0 });
    const alone = second.begin();
    await second.clock.advance(250);
    await alone;
  });

  it('takes others again when one was sent here just before it was heard that nobody shall come', async () => {
    let drains = 0;
    const { now, told, begin, clock } = setUp({
      onAsk: async (what) => {
        if (what === 'drain') drains += 1;
        if (what === 'drain' && drains === 1) now.children = 1;
      },
    });
    const work = begin();
    await clock.advance(0);
    expect(told).toEqual(['drain', 'welcome']);
    await clock.advance(2_000);
    expect(drains).toBe(1);
    now.children = 0;
    await clock.advance(50);
    await work;
    expect(drains).toBe(2);
  });

  it('asks the lock server again as soon as nobody reads, until those who were sent are done', async () => {
    const { now, told, begin, clock } = setUp({ children: 1, readers: 1 });
    const work = begin();
    await clock.advance(3_000);
    expect(told).toEqual(['welcome']);
    now.readers = 0;
    await clock.advance(50);
    expect(told).toEqual(['welcome', 'welcome']);
    now.children = 0;
    await clock.advance(50);
    await work;
    expect(clock.pending()).toBe(0);
  });

  it('asks at most four times a second, and not while a question is open', async () => {
    const { told, begin, clock, abort } = setUp({ children: 1 });
    const work = begin();
    await clock.advance(5_000);
    expect(told.length).toBeGreaterThan(15);
    expect(told.length).toBeLessThanOrEqual(21);
    abort.abort();
    await work;
    let asked = 0;
    const frozen = setUp({
      children: 1,
      onAsk: async () => {
        asked += 1;
        if (asked > 1) await new Promise(() => {});
      },
    });
    const second = frozen.begin();
    await frozen.clock.advance(4_900);
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

  it('lets nobody else come once nobody got a byte for five seconds', async () => {
    const { told, begin, clock, abort } = setUp({ children: 1, readers: 1 });
    const work = begin(20_000);
    await clock.advance(4_900);
    expect(told).not.toContain('drain');
    await clock.advance(200);
    expect(told.at(-1)).toBe('drain');
    abort.abort();
    await work;
  });

  it('lasts as long as somebody gets on, and no longer, but nobody else comes after the bound', async () => {
    const { now, told, begin, clock, sendFor } = setUp({ children: 2, readers: 1 });
    const work = begin(10_000);
    await sendFor(9_900);
    expect(told).not.toContain('drain');
    await sendFor(200);
    expect(told.at(-1)).toBe('drain');
    for (let turn = 0; turn < 5; turn += 1) {
      now.sentMs = clock.now();
      await clock.advance(9_000);
    }
    expect(now.isOver).toBe(false);
    expect(told.slice(told.indexOf('drain'))).not.toContain('welcome');
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
    const silent = setUp({ readers: 1, onAsk: () => new Promise(() => {}) });
    const second = silent.begin();
    silent.abort.abort();
    await second;
    expect(silent.now.stays).toBe(0);
  });

  it('does not happen where it is turned off', async () => {
    const { told, begin } = setUp({ children: 3 });
    await begin(0);
    expect(told).toEqual([]);
  });
});
