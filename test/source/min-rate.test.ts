import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import type { BlobSource, OpenBlob } from '../../src/source/blob-source.ts';
import { endingSlowness } from '../../src/source/min-rate.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';

const layer: Descriptor = { mediaType: 'x/y', digest: digestOf(Buffer.from('x')), size: 100_000 };

/** Gives `bytes` every `everyMs`, so often. */
function dripping(clock: FakeClock, bytes: number, everyMs: number, times: number): BlobSource {
  return {
    url: 'http://slow.example:5000',
    async *open(_layer, { signal }) {
      for (let round = 0; round < times; round += 1) {
        await clock.sleep(everyMs, signal);
        yield new Uint8Array(bytes);
      }
    },
  };
}

/** Reads it all; `busyMs` is what the reader does with each piece. Answers with the bytes, or the error. */
async function run(clock: FakeClock, source: BlobSource, busyMs = 0, request: Partial<OpenBlob> = {}) {
  let bytes = 0;
  let over = false;
  const read = async () => {
    const { signal } = new AbortController();
    for await (const chunk of source.open(layer, { signal, ...request })) {
      bytes += chunk.length;
      if (busyMs > 0) await clock.sleep(busyMs);
    }
    return bytes;
  };
  const work = read().finally(() => {
    over = true;
  });
  work.catch(() => {});
  for (let turn = 0; turn < 2_000 && !over; turn += 1) await clock.advance(100);
  return await work;
}

const bound = (clock: FakeClock) => ({ clock, bytesPerSecond: 100, windowMs: 10_000 });

describe('a source with a least rate', () => {
  it('is left when it is slower, and the error names it', async () => {
    const clock = createFakeClock();
    const source = endingSlowness(dripping(clock, 50, 1_000, 60), bound(clock));
    await expect(run(clock, source)).rejects.toMatchObject({
      code: 'registry_failed',
      message: 'slow.example:5000 is slower than 100 bytes per second over 10 s',
    });
    expect(clock.now()).toBeLessThan(20_000);
    expect(clock.pending()).toBe(0);
  });

  it('is left when it gives nothing at all', async () => {
    const clock = createFakeClock();
    const source = endingSlowness(dripping(clock, 1_000, 3_600_000, 1), bound(clock));
    await expect(run(clock, source)).rejects.toMatchObject({ code: 'registry_failed' });
  });

  it('is kept when it is fast enough', async () => {
    const clock = createFakeClock();
    const source = endingSlowness(dripping(clock, 150, 1_000, 60), bound(clock));
    expect(await run(clock, source)).toBe(9_000);
    expect(clock.pending()).toBe(0);
  });

  it('is left when it becomes slow after a fast beginning', async () => {
    const clock = createFakeClock();
    const both: BlobSource = {
      url: 'http://slow.example:5000',
      async *open(descriptor, request) {
        yield* dripping(clock, 10_000, 1_000, 5).open(descriptor, request);
        yield* dripping(clock, 10, 1_000, 60).open(descriptor, request);
      },
    };
    await expect(run(clock, endingSlowness(both, bound(clock)))).rejects.toThrow('slower than 100 bytes');
  });

  it('is not blamed for the time that its reader takes', async () => {
    const clock = createFakeClock();
    const source = endingSlowness(dripping(clock, 20, 100, 60), bound(clock));
    expect(await run(clock, source, 2_000)).toBe(1_200);
  });

  it('is not blamed for the time that a limit of ours holds the request back', async () => {
    const clock = createFakeClock();
    const held: boolean[] = [];
    const limited: BlobSource = {
      url: 'http://slow.example:5000',
      async *open(_layer, { signal, onHold }) {
        onHold?.(true);
        await clock.sleep(100_000, signal);
        onHold?.(false);
        yield new Uint8Array(100);
      },
    };
    const onHold = (holding: boolean) => held.push(holding);
    expect(await run(clock, endingSlowness(limited, bound(clock)), 0, { onHold })).toBe(100);
    expect(held).toEqual([true, false]);
  });

  it('of 0 is not measured', () => {
    const clock = createFakeClock();
    const source = dripping(clock, 1, 1_000, 1);
    expect(endingSlowness(source, { ...bound(clock), bytesPerSecond: 0 })).toBe(source);
  });

  it('ends with the reason of the signal when the pull is aborted', async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const source = endingSlowness(dripping(clock, 1_000, 1_000, 60), bound(clock));
    const work = run(clock, source, 0, { signal: abort.signal });
    work.catch(() => {});
    abort.abort(new Error('interrupted'));
    await expect(work).rejects.toThrow('interrupted');
  });
});
