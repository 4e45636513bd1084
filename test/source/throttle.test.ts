import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { createThrottle, throttled } from '../../src/source/throttle.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';

const never = new AbortController().signal;

function sourceOf(bytes: Buffer, chunkBytes: number): BlobSource {
  return {
    url: 'http://test',
    async *open(_layer, { offset = 0 }) {
      for (let at = offset; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

function layerOf(bytes: Buffer): Descriptor {
  return { mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length };
}

/** Reads everything; `bytes` grows meanwhile. */
function startReading(source: BlobSource, layer: Descriptor, signal = never) {
  const reader = { bytes: 0, content: Buffer.alloc(0), done: Promise.resolve() };
  reader.done = (async () => {
    for await (const chunk of source.open(layer, { signal })) {
      reader.bytes += chunk.length;
      reader.content = Buffer.concat([reader.content, chunk]);
    }
  })();
  return reader;
}

describe('a limited rate', () => {
  it('lets as many bytes through as time allows, and all of them in the end', async () => {
    const clock = createFakeClock();
    const bytes = Buffer.alloc(10_000, 'abc');
    const throttle = createThrottle({ clock, unitsPerSecond: 1_000 });
    const reader = startReading(throttled(sourceOf(bytes, 4_096), throttle), layerOf(bytes));
    for (let second = 1; second <= 8; second += 1) {
      await clock.advance(1_000);
      expect(reader.bytes).toBeGreaterThanOrEqual(second * 1_000 - 100);
      expect(reader.bytes).toBeLessThanOrEqual(second * 1_000 + 200);
    }
    await clock.advance(3_000);
    await reader.done;
    expect(reader.content.equals(bytes)).toBe(true);
  });

  it('is shared evenly by the layers that are under way', async () => {
    const clock = createFakeClock();
    const bytes = Buffer.alloc(100_000);
    const throttle = createThrottle({ clock, unitsPerSecond: 10_000 });
    const readers = [16_384, 65_536, 2_000].map((chunk) =>
      startReading(throttled(sourceOf(bytes, chunk), throttle), layerOf(bytes)),
    );
    await clock.advance(6_000);
    const sum = readers.reduce((all, { bytes: read }) => all + read, 0);
    expect(sum).toBeGreaterThan(58_000);
    expect(sum).toBeLessThan(62_000);
    for (const { bytes: read } of readers) expect(read).toBeGreaterThan(15_000);
    await clock.advance(60_000);
    await Promise.all(readers.map(({ done }) => done));
  });

  it('gives nobody the time that nobody used, but for a tenth of a second', async () => {
    const clock = createFakeClock();
    const throttle = createThrottle({ clock, unitsPerSecond: 1_000 });
    await throttle.take(100, never);
    await clock.advance(60_000);
    await throttle.take(100, never);
    const waiting = throttle.take(1_000, never);
    const { isOver } = watch(waiting);
    await clock.advance(999);
    expect(isOver()).toBe(false);
    await clock.advance(1);
    await waiting;
  });

  it('sleeps once for a piece and looks at no clock in between', async () => {
    const clock = createFakeClock();
    const throttle = createThrottle({ clock, unitsPerSecond: 1_000 });
    await throttle.take(100, never);
    const { isOver } = watch(throttle.take(100, never));
    await settle();
    expect([clock.pending(), isOver()]).toEqual([1, false]);
    await clock.advance(100);
    expect([clock.pending(), isOver()]).toEqual([0, true]);
  });

  it('ends with the reason of the signal while it waits', async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const throttle = createThrottle({ clock, unitsPerSecond: 1, burstUnits: 1 });
    await throttle.take(1, never);
    const waiting = throttle.take(1, abort.signal);
    abort.abort(new Error('interrupted'));
    await expect(waiting).rejects.toThrow('interrupted');
    expect(clock.pending()).toBe(0);
  });
});

function watch(work: Promise<unknown>) {
  let over = false;
  const end = () => {
    over = true;
  };
  work.then(end, end);
  return { isOver: () => over };
}
