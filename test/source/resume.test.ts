import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { resuming } from '../../src/source/resume.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';

const content = Buffer.from('0123456789');
const layer: Descriptor = { mediaType: 'x/y', digest: digestOf(content), size: content.length };
const reset = () => new LayerpullError('registry_failed', 'connection closed');

/** Each open gives that many bytes and fails; once the list is used up it gives the rest. */
function breaking(steps: readonly number[], error: () => Error = reset) {
  const offsets: number[] = [];
  const source: BlobSource = {
    url: 'http://test',
    async *open(_layer, { offset = 0, signal }) {
      signal.throwIfAborted();
      const step = steps[offsets.length];
      offsets.push(offset);
      for (const byte of content.subarray(offset, step === undefined ? undefined : offset + step)) {
        yield Buffer.from([byte]);
      }
      if (step !== undefined && offset + step < content.length) throw error();
    },
  };
  return { source, offsets };
}

async function collect(source: BlobSource, options: { offset?: number; signal?: AbortSignal } = {}) {
  const chunks: Uint8Array[] = [];
  const { offset = 0, signal = new AbortController().signal } = options;
  for await (const chunk of source.open(layer, { offset, signal })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function run<T>(work: Promise<T>, clock: ReturnType<typeof createFakeClock>): Promise<T> {
  let over = false;
  const watched = work.finally(() => {
    over = true;
  });
  watched.catch(() => {});
  for (let turn = 0; turn < 100 && !over; turn += 1) await clock.advance(1_000);
  return await watched;
}

describe('a transfer that breaks', () => {
  it('goes on from the byte it reached', async () => {
    const clock = createFakeClock();
    const told: [number, string][] = [];
    const { source, offsets } = breaking([3, 4]);
    const onRetry = (error: unknown, reached: number) => told.push([reached, (error as Error).message]);
    expect(await run(collect(resuming(source, { clock, onRetry }), { offset: 1 }), clock)).toBe('123456789');
    expect(offsets).toEqual([1, 4, 8]);
    expect(told).toEqual([
      [4, 'connection closed'],
      [8, 'connection closed'],
    ]);
  });

  it('is given up after three retries that brought nothing', async () => {
    const clock = createFakeClock();
    const { source, offsets } = breaking([2, 0, 0, 0, 0, 0, 0]);
    await expect(run(collect(resuming(source, { clock })), clock)).rejects.toThrow('connection closed');
    expect(offsets).toEqual([0, 2, 2, 2]);
  });

  it('counts anew whenever bytes came', async () => {
    const clock = createFakeClock();
    const { source, offsets } = breaking([1, 0, 0, 1, 0, 0, 1]);
    expect(await run(collect(resuming(source, { clock })), clock)).toBe('0123456789');
    expect(offsets).toEqual([0, 1, 1, 1, 2, 2, 2, 3]);
  });

  it('pauses half a second, then twice that, then twice again', async () => {
    const clock = createFakeClock();
    const { source, offsets } = breaking([0, 0, 0]);
    const reading = collect(resuming(source, { clock, random: () => 1 }));
    for (const [ms, opened] of [
      [499, 1],
      [1, 2],
      [999, 2],
      [1, 3],
      [1_999, 3],
      [1, 4],
    ] as const) {
      await clock.advance(ms);
      expect(offsets.length).toBe(opened);
    }
    expect(await reading).toBe('0123456789');
  });

  it.each([
    new LayerpullError('size_mismatch', 'too long'),
    new LayerpullError('blob_not_found', 'gone'),
    new LayerpullError('registry_failed', 'status 500', { retryable: false }),
    new Error('a bug'),
  ])('is not tried again after "$message"', async (error) => {
    const clock = createFakeClock();
    const { source, offsets } = breaking([3, 3], () => error);
    await expect(run(collect(resuming(source, { clock })), clock)).rejects.toBe(error);
    expect(offsets).toEqual([0]);
  });

  it('ends in its pause when the signal aborts, with the reason', async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const reading = collect(resuming(breaking([1]).source, { clock }), { signal: abort.signal });
    reading.catch(() => {});
    await settle();
    abort.abort(new Error('interrupted'));
    await expect(reading).rejects.toThrow('interrupted');
    expect(clock.pending()).toBe(0);
  });

  it('loses and repeats no byte, wherever it breaks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 10 }), async (steps) => {
        const clock = createFakeClock();
        expect(await run(collect(resuming(breaking(steps).source, { clock })), clock)).toBe('0123456789');
      }),
      { numRuns: 50 },
    );
  });
});
