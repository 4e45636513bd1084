import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { createTransferBounds, transferring } from '../../src/source/transfer.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const content = Buffer.from('0123456789');
const layer: Descriptor = { mediaType: 'x/y', digest: digestOf(content), size: content.length };
const { signal } = new AbortController();

async function read(source: BlobSource): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.open(layer, { signal })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Fails each time before a byte came. */
const failing: BlobSource = {
  url: 'http://test',
  // biome-ignore lint/correctness/useYield: it has nothing to give.
  async *open(_layer, request) {
    request.signal.throwIfAborted();
    throw new LayerpullError('registry_failed', 'status 503');
  },
};

const whole: BlobSource = {
  url: 'http://test',
  async *open(_layer, { offset = 0 }) {
    yield content.subarray(offset);
  },
};

describe('a layer with a time limit', () => {
  it('times out in the middle of its retries, and is not tried again', async () => {
    const clock = createFakeClock();
    const bounds = createTransferBounds(clock, { bytesPerSecond: 0, layerTimeoutMs: 1_000 });
    const reading = read(transferring(failing, { clock, ...bounds, random: () => 1 }));
    const error = expect(reading).rejects.toMatchObject({
      code: 'timed_out',
      exitCode: 5,
      message: `layer ${layer.digest} took longer than 1 s`,
      hint: expect.stringContaining('--layer-timeout'),
    });
    await clock.advance(1_000);
    await error;
    expect(clock.pending()).toBe(0);
  });

  it('leaves no timer behind when it comes in time', async () => {
    const clock = createFakeClock();
    const bounds = createTransferBounds(clock, { bytesPerSecond: 0, layerTimeoutMs: 1_000 });
    expect(await read(transferring(whole, { clock, ...bounds }))).toBe('0123456789');
    expect(clock.pending()).toBe(0);
  });
});

describe('a layer with a limited rate', () => {
  it('comes whole, in its time', async () => {
    const clock = createFakeClock();
    const reading = read(
      transferring(whole, { clock, ...createTransferBounds(clock, { bytesPerSecond: 5 }) }),
    );
    await clock.advance(2_000);
    expect(await reading).toBe('0123456789');
    expect(clock.now()).toBe(2_000);
  });
});

describe('without limits', () => {
  it('is resumed and nothing else', async () => {
    const clock = createFakeClock();
    expect(await read(transferring(whole, { clock }))).toBe('0123456789');
    expect(createTransferBounds(clock, { bytesPerSecond: 0 }).throttle).toBeUndefined();
  });
});
