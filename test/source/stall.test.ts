import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { BlobSource, OpenBlob } from '../../src/source/blob-source.ts';
import { resuming } from '../../src/source/resume.ts';
import { endingStalls } from '../../src/source/stall.ts';
import { createFakeClock, type FakeClock, settle } from '../support/fake-clock.ts';

const content = Buffer.from('0123456789');
const layer: Descriptor = { mediaType: 'x/y', digest: digestOf(content), size: content.length };

/** Gives a byte whenever the test says so; ends with the signal. */
function scripted() {
  const opened: OpenBlob[] = [];
  let next = deferred<void>();
  const source: BlobSource = {
    url: 'http://registry.test:5000',
    async *open(_layer, request) {
      opened.push(request);
      const aborted = deferred<never>();
      request.signal.addEventListener('abort', () => aborted.reject(request.signal.reason), { once: true });
      aborted.promise.catch(() => {});
      for (let at = request.offset ?? 0; at < content.length; at += 1) {
        await Promise.race([next.promise, aborted.promise]);
        next = deferred();
        yield content.subarray(at, at + 1);
      }
    },
  };
  const give = async () => {
    next.resolve();
    await settle();
  };
  return { source, opened, give };
}

function startReading(source: BlobSource, signal = new AbortController().signal) {
  const read: number[] = [];
  const result = { read, error: undefined as unknown, over: false };
  void (async () => {
    try {
      for await (const chunk of source.open(layer, { signal })) read.push(...chunk);
    } catch (error) {
      result.error = error;
    }
    result.over = true;
  })();
  return result;
}

const text = (read: readonly number[]) => Buffer.from(read).toString();

async function setUp(stallMs = 20_000): Promise<{ clock: FakeClock } & ReturnType<typeof scripted>> {
  const clock = createFakeClock();
  const script = scripted();
  return { clock, ...script, source: endingStalls(script.source, { clock, stallMs }) };
}

describe('a transfer in which nothing arrives', () => {
  it('ends with an error that says where it stood, and frees its timer', async () => {
    const { clock, source, give } = await setUp();
    const reading = startReading(source);
    await give();
    await clock.advance(15_000);
    expect(reading.over).toBe(false);
    await clock.advance(10_000);
    expect(reading.error).toMatchObject({
      code: 'registry_stalled',
      retryable: true,
      message: `registry.test:5000 sent nothing of ${layer.digest} for 20 s, after 1 of 10 bytes`,
    });
    expect(clock.pending()).toBe(0);
  });

  it('goes on as long as a byte comes in time', async () => {
    const { clock, source, give } = await setUp();
    const reading = startReading(source);
    for (let byte = 0; byte < content.length; byte += 1) {
      await clock.advance(19_000);
      await give();
    }
    expect(text(reading.read)).toBe('0123456789');
    expect(clock.pending()).toBe(0);
  });

  it('is not blamed for the time in which its reader is busy', async () => {
    const { clock, source, give } = await setUp();
    const busy = deferred<void>();
    const reading = (async () => {
      for await (const _ of source.open(layer, { signal: new AbortController().signal })) await busy.promise;
    })();
    reading.catch(() => {});
    await give();
    await clock.advance(600_000);
    busy.resolve();
    for (let byte = 1; byte < content.length; byte += 1) await give();
    await reading;
  });

  it('is not blamed for the time in which we hold its request back', async () => {
    const { clock, source, opened, give } = await setUp();
    const reading = startReading(source);
    await settle();
    opened[0]?.onHold?.(true);
    await clock.advance(600_000);
    expect(reading.over).toBe(false);
    opened[0]?.onHold?.(false);
    await clock.advance(25_000);
    expect(reading.error).toMatchObject({ code: 'registry_stalled' });
    await give();
  });

  it('is not blamed for the time in which this process itself was stopped', async () => {
    const clock = createFakeClock();
    let stoppedMs = 0;
    const script = scripted();
    const pausing = { ...clock, now: () => clock.now() + stoppedMs };
    const reading = startReading(endingStalls(script.source, { clock: pausing, stallMs: 20_000 }));
    await script.give();
    await clock.advance(2_000);
    stoppedMs = 60_000;
    await clock.advance(10_000);
    expect(reading.over).toBe(false);
    await clock.advance(10_000);
    expect(reading.error).toMatchObject({ code: 'registry_stalled' });
  });

  it('goes on from its offset when it is resumed', async () => {
    const { clock, source, opened, give } = await setUp();
    const reading = startReading(resuming(source, { clock }));
    await give();
    await give();
    await clock.advance(26_000);
    expect(opened.map(({ offset }) => offset)).toEqual([0, 2]);
    for (let byte = 2; byte < content.length; byte += 1) await give();
    expect(text(reading.read)).toBe('0123456789');
  });

  it('ends with the reason of the signal when that comes first', async () => {
    const { clock, source } = await setUp();
    const abort = new AbortController();
    const reading = startReading(source, abort.signal);
    await clock.advance(5_000);
    abort.abort(new LayerpullError('interrupted', 'interrupted'));
    await settle();
    expect(reading.error).toBe(abort.signal.reason);
    expect(clock.pending()).toBe(0);
  });
});
