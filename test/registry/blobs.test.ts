import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { resuming } from '../../src/source/resume.ts';
import type { Fault } from '../support/fake-registry.ts';
import { createRig, errorOf, first } from './support.ts';

async function withLayer(size = 100_000) {
  const rig = await createRig();
  const layer = first(rig.fake.addImage({ layers: [size] }).layers);
  return { ...rig, layer };
}

describe('a blob', () => {
  it('comes whole', async () => {
    const { fake, read, layer } = await withLayer(300_000);
    expect((await read(layer)).equals(layer.bytes)).toBe(true);
    expect(fake.requests).toHaveLength(1);
    expect(fake.requests[0]?.range).toBeUndefined();
  });

  it('comes from an offset by a closed range', async () => {
    const { fake, read, layer } = await withLayer();
    expect((await read(layer, 60_000)).equals(layer.bytes.subarray(60_000))).toBe(true);
    expect(fake.requests[0]).toMatchObject({ range: 'bytes=60000-99999', status: 206 });
    expect(fake.bytesSent(layer.digest)).toBe(40_000);
  });

  it.each([0, 500])('asks for nothing at its end (%i bytes)', async (size) => {
    const { fake, read, layer } = await withLayer(size);
    expect(await read(layer, size)).toHaveLength(0);
    expect(fake.requests).toHaveLength(0);
  });

  it('has no bytes behind its end', async () => {
    const { read, layer } = await withLayer(10);
    await expect(read(layer, 11)).rejects.toThrow(RangeError);
  });

  it.each([{ kind: 'ignoresRange' }, { kind: 'wrongContentRange' }] as const)(
    'is read from the start when the registry has $kind',
    async (fault) => {
      const { fake, read, layer } = await withLayer();
      fake.fault(layer.digest, fault);
      expect((await read(layer, 60_001)).equals(layer.bytes.subarray(60_001))).toBe(true);
    },
  );

  it('begins at the offset whatever the registry makes of ranges', async () => {
    const { fake, read, layer } = await withLayer(5_000);
    const kinds = fc.constantFrom<Fault['kind'] & ('ignoresRange' | 'wrongContentRange')>(
      'ignoresRange',
      'wrongContentRange',
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 5_000 }), fc.option(kinds), async (offset, kind) => {
        fake.clearFaults();
        if (kind) fake.fault(layer.digest, { kind });
        expect((await read(layer, offset)).equals(layer.bytes.subarray(offset))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('names the registry without credentials or path', async () => {
    const { fake, client } = await createRig();
    expect(client.blobs(parseReference(`${fake.host}/library/app`)).url).toBe(fake.url);
    expect(client.blobs(parseReference('busybox')).url).toBe('https://registry-1.docker.io');
    expect(client.blobs(parseReference('localhost/app')).url).toBe('http://localhost');
    expect(client.blobs(parseReference('ghcr.io/app')).url).toBe('https://ghcr.io');
  });

  it('frees its connection when the loop is left', async () => {
    const { fake, client, layer } = await withLayer(200_000);
    const gate = fake.hold(layer.digest, 100_000);
    const { signal } = new AbortController();
    const source = client.blobs(parseReference(`${fake.host}/library/app`));
    for await (const chunk of source.open(layer, { signal })) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    while ((await fake.connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
    gate.release();
  });

  it('ends with the reason of the signal', async () => {
    const { fake, client, layer } = await withLayer(200_000);
    fake.hold(layer.digest, 1_000);
    const abort = new AbortController();
    const reason = new Error('interrupted');
    const source = client.blobs(parseReference(`${fake.host}/library/app`));
    const reading = async () => {
      for await (const _ of source.open(layer, { signal: abort.signal })) abort.abort(reason);
    };
    expect(await errorOf(reading())).toBe(reason);
  });
});

describe('a blob that comes wrongly', () => {
  it.each([
    [{ kind: 'notFound' }, 'blob_not_found', false],
    [{ kind: 'denied' }, 'access_denied', false],
    [{ kind: 'serverError', status: 501 }, 'registry_failed', false],
    [{ kind: 'serverError' }, 'registry_failed', true],
    [{ kind: 'tooManyRequests' }, 'rate_limited', true],
    [{ kind: 'reset' }, 'registry_unreachable', true],
    [{ kind: 'wrongLength', extraBytes: 1 }, 'size_mismatch', true],
    [{ kind: 'tooLong', extraBytes: 1 }, 'size_mismatch', true],
    [{ kind: 'truncating', afterBytes: 1_000 }, 'registry_failed', true],
    [{ kind: 'flaky', afterBytes: 1_000 }, 'registry_failed', true],
  ] as const)('%o is %s', async (fault, code, retryable) => {
    const { fake, read, layer } = await withLayer();
    fake.fault(layer.digest, fault);
    expect(await errorOf(read(layer))).toMatchObject({ code, retryable, origin: 'registry' });
  });

  it('tells how far it came', async () => {
    const { fake, read, layer } = await withLayer();
    fake.fault(layer.digest, { kind: 'truncating', afterBytes: 1_000 });
    expect(await errorOf(read(layer))).toMatchObject({
      message: `${fake.host}: connection closed after 1000 of 100000 bytes`,
    });
  });

  it('never gives more bytes than it should have', async () => {
    const { fake, client, layer } = await withLayer();
    fake.fault(layer.digest, { kind: 'tooLong', extraBytes: 500_000 });
    let bytes = 0;
    const source = client.blobs(parseReference(`${fake.host}/library/app`));
    const reading = async () => {
      for await (const chunk of source.open(layer, { signal: new AbortController().signal }))
        bytes += chunk.length;
    };
    expect(await errorOf(reading())).toMatchObject({ code: 'size_mismatch' });
    expect(bytes).toBeLessThanOrEqual(layer.size);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data/iam', 'link-local'],
    ['file:///etc/passwd', 'file:'],
  ])('from %s is refused', async (url, problem) => {
    const { fake, read, layer } = await withLayer();
    fake.fault(layer.digest, { kind: 'redirectsTo', url });
    expect(await errorOf(read(layer))).toMatchObject({
      code: 'registry_protocol',
      message: expect.stringContaining(problem),
    });
  });

  it('goes on where it broke, when it is resumed', async () => {
    const { fake, client, layer } = await withLayer();
    fake.fault(layer.digest, { kind: 'flaky', afterBytes: 40_000 });
    fake.fault(layer.digest, { kind: 'truncating', afterBytes: 20_000 });
    const source = resuming(client.blobs(parseReference(`${fake.host}/library/app`)), {
      clock: systemClock,
      delayMs: 0,
    });
    const chunks: Uint8Array[] = [];
    const { signal } = new AbortController();
    for await (const chunk of source.open(layer, { signal })) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(layer.bytes)).toBe(true);
    expect(fake.blobGets(layer.digest)).toBe(3);
  });
});
