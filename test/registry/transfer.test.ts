import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { createRegistry } from '../../src/registry/client.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { resuming } from '../../src/source/resume.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import type { Fault } from '../support/fake-registry.ts';
import { createRig, errorOf, first, type RigOptions } from './support.ts';

const size = 100_000;

async function withLayer(options: RigOptions = {}) {
  const rig = await createRig(options);
  const image = rig.fake.addImage({ layers: [size] });
  return { ...rig, image, layer: first(image.layers) };
}

describe('a range that a server lies about', () => {
  const offset = 60_000;
  const lies: readonly (string | undefined)[] = [
    undefined,
    '',
    'bytes 60001-99999/100000',
    'bytes 59999-99999/100000',
    'bytes 0-99999/100000',
    'bytes 60000-99998/100000',
    'bytes 60000-100000/100001',
    'bytes 60000-99999/99999',
    'bytes 60000-99999/1',
    'bytes 60000-',
    'bytes */100000',
    'bytes -40000/100000',
    'bytes 60000-99999',
    'bytes=60000-99999/100000',
    'octets 60000-99999/100000',
    'bytes 6e4-99999/100000',
    'bytes 060000 - 99999 / 100000',
    'bytes 60000-99999/100000, bytes 0-1/100000',
    'bytes 99999-60000/100000',
    `bytes ${'9'.repeat(400)}-99999/100000`,
  ];

  it.each(lies)('as "%s" is not used: the blob is asked for without one', async (value) => {
    const { fake, layer, read } = await withLayer();
    fake.fault(layer.digest, { kind: 'contentRange', ...(value === undefined ? {} : { value }) });
    expect((await read(layer, offset)).equals(layer.bytes.subarray(offset))).toBe(true);
    expect(fake.requests.map(({ range }) => range)).toEqual(['bytes=60000-99999', undefined]);
  });

  it.each(['bytes 60000-99999/100000', 'bytes 60000-99999/*'])('and "%s" is none', async (value) => {
    const { fake, layer, read } = await withLayer();
    fake.fault(layer.digest, { kind: 'contentRange', value });
    expect((await read(layer, offset)).equals(layer.bytes.subarray(offset))).toBe(true);
    expect(fake.requests).toHaveLength(1);
  });

  it('is an error when the server answers so to whoever asks for none', async () => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, { kind: 'contentRange', value: 'bytes 0-99999/100000' }, 9);
    expect(await errorOf(readResuming(layer))).toMatchObject({ code: 'registry_protocol' });
    expect(await errorOf(readResuming(layer, offset))).toMatchObject({ code: 'registry_protocol' });
    expect(fake.requests).toHaveLength(3);
  });
});

describe('a transfer that goes wrong on the way', () => {
  it.each([
    { kind: 'reset' },
    { kind: 'resetAt', stage: 'statusLine' },
    { kind: 'resetAt', stage: 'headers' },
    { kind: 'resetAt', stage: 'body' },
    { kind: 'flaky', afterBytes: 0 },
    { kind: 'flaky', afterBytes: 1 },
    { kind: 'flaky', afterBytes: 70_000 },
    { kind: 'flaky', afterBytes: size },
    { kind: 'truncating', afterBytes: 50_000 },
    { kind: 'serverError', status: 408 },
    { kind: 'serverError', status: 500 },
    { kind: 'serverError', status: 502 },
    { kind: 'serverError', status: 503 },
    { kind: 'serverError', status: 504 },
    { kind: 'tooManyRequests' },
  ] as const)('is taken up three times in a row after %o', async (fault) => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, fault, 3);
    expect((await readResuming(layer)).equals(layer.bytes)).toBe(true);
    const asked = fake.requests.map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(asked).toEqual(asked.toSorted((a, b) => a - b));
  });

  it.each([
    [{ kind: 'notFound' }, 'blob_not_found'],
    [{ kind: 'denied' }, 'access_denied'],
    [{ kind: 'serverError', status: 501 }, 'registry_failed'],
    [{ kind: 'serverError', status: 400 }, 'registry_protocol'],
    [{ kind: 'compressed', declared: true }, 'registry_protocol'],
    [{ kind: 'tooShort', missingBytes: 1 }, 'size_mismatch'],
    [{ kind: 'wrongLength', extraBytes: 1 }, 'size_mismatch'],
    [{ kind: 'tooLong', extraBytes: 1 }, 'size_mismatch'],
    [{ kind: 'endless' }, 'size_mismatch'],
    [{ kind: 'redirectsTo', url: 'ftp://127.0.0.1/x' }, 'registry_protocol'],
    [{ kind: 'redirectsTo', url: 'http://169.254.169.254/x' }, 'registry_protocol'],
  ] as const)('is not taken up after %o', async (fault, code) => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, fault, 9);
    expect(await errorOf(readResuming(layer))).toMatchObject({ code });
    expect(fake.requests).toHaveLength(1);
  });

  it('is not believed when it was compressed without a word', async () => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, { kind: 'compressed', declared: false }, 9);
    expect(await errorOf(readResuming(layer))).toMatchObject({ code: 'size_mismatch' });
  });

  it('is over after three tries in a row that bring nothing, with the last reason', async () => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, { kind: 'flaky', afterBytes: 10_000 });
    fake.fault(layer.digest, { kind: 'serverError', status: 503 }, 9);
    expect(await errorOf(readResuming(layer))).toMatchObject({
      code: 'registry_failed',
      message: expect.stringContaining('503'),
    });
    expect(fake.requests).toHaveLength(4);
  });

  it('goes on where it stopped after a silence', async () => {
    const { fake, layer, readResuming } = await withLayer({ stallMs: 200 });
    fake.fault(layer.digest, { kind: 'stalling', afterBytes: 40_000 });
    fake.fault(layer.digest, { kind: 'silent' });
    expect((await readResuming(layer)).equals(layer.bytes)).toBe(true);
    expect(fake.requests.map(({ range }) => range)).toEqual([
      undefined,
      'bytes=40000-99999',
      'bytes=40000-99999',
    ]);
  });

  it('is over with its own code when all connections fall silent', async () => {
    const { fake, layer, readResuming } = await withLayer({ stallMs: 100 });
    fake.fault(layer.digest, { kind: 'stalling', afterBytes: 0 }, 9);
    expect(await errorOf(readResuming(layer))).toMatchObject({ code: 'registry_stalled', exitCode: 5 });
    expect(fake.requests).toHaveLength(4);
    await expect.poll(() => fake.connections()).toBe(0);
  });
});

describe('a registry that asks to wait', () => {
  const soonHeader = () => new Date(Date.now() + 3_600_000).toUTCString();

  it.each([
    [{ kind: 'tooManyRequests', retryAfter: '7' }, 'rate_limited', 7_000],
    [{ kind: 'serverError', status: 503, retryAfter: '7' }, 'registry_failed', 7_000],
    [{ kind: 'tooManyRequests' }, 'rate_limited', undefined],
    [{ kind: 'tooManyRequests', retryAfter: 'later' }, 'rate_limited', undefined],
  ] as const)('%o: the error says for how long', async (fault, code, retryAfterMs) => {
    const { fake, layer, read } = await withLayer();
    fake.fault(layer.digest, fault);
    expect(await errorOf(read(layer))).toMatchObject({ code, retryAfterMs });
  });

  it('may name the time as a date', async () => {
    const { fake, layer, read } = await withLayer();
    fake.fault(layer.digest, { kind: 'tooManyRequests', retryAfter: soonHeader() });
    const error = (await errorOf(read(layer))) as { retryAfterMs: number };
    expect(error.retryAfterMs).toBeGreaterThan(3_500_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });

  it.each([
    ['manifests', 'latest'],
    ['tokens', '/token'],
  ])('is not asked for %s before that', async (_what, target) => {
    const clock = createFakeClock();
    const { fake, image, resolve } = await withLayer({ clock, auth: { kind: 'bearer' } });
    fake.fault(target, { kind: 'tooManyRequests', retryAfter: '30' });
    const work = resolve(image.reference);
    await advanceTo(clock, () => clock.now() >= 29_000, fake);
    const before = fake.requests.length;
    await clock.advance(900);
    await settle();
    expect(fake.requests).toHaveLength(before);
    await advanceTo(clock, () => fake.requests.length > before, fake);
    expect((await work).manifest.descriptor.digest).toBe(image.digest);
  });
});

/** Moves the clock on in small steps, but only while nothing is under way at the registry. */
async function advanceTo(
  clock: ReturnType<typeof createFakeClock>,
  reached: () => boolean,
  fake: { readonly requests: readonly { readonly status: number }[] },
): Promise<void> {
  while (!reached()) {
    if (fake.requests.length > 0 && fake.requests.every(({ status }) => status > 0)) await clock.advance(20);
    await settle();
  }
}

describe('a signed address that the registry redirects to', () => {
  it('expires in the middle: the registry is asked for another one, which goes on from the offset', async () => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, { kind: 'presigned', afterBytes: 30_000 }, 2);
    fake.fault(layer.digest, { kind: 'presigned' });
    expect((await readResuming(layer)).equals(layer.bytes)).toBe(true);
    expect(fake.requests.map(({ path, range }) => [path.split('/')[1], range])).toEqual([
      ['v2', undefined],
      ['presigned', undefined],
      ['v2', 'bytes=30000-99999'],
      ['presigned', 'bytes=30000-99999'],
      ['v2', 'bytes=60000-99999'],
      ['presigned', 'bytes=60000-99999'],
    ]);
    expect(fake.bytesSent(layer.digest)).toBe(size);
  });

  it('was expired from the beginning: the registry is asked again', async () => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, { kind: 'presigned', expired: true }, 3);
    fake.fault(layer.digest, { kind: 'presigned' });
    expect((await readResuming(layer)).equals(layer.bytes)).toBe(true);
  });

  it('never works: the error speaks of the storage and keeps the signature to itself', async () => {
    const { fake, layer, readResuming } = await withLayer();
    fake.fault(layer.digest, { kind: 'presigned', expired: true }, 99);
    const error = await errorOf(readResuming(layer));
    expect(error).toMatchObject({ code: 'registry_failed', hint: expect.stringContaining('expired') });
    expect(JSON.stringify([error, String(error)])).not.toContain('secret');
    expect(fake.requests).toHaveLength(8);
  });
});

describe('a reply without end', () => {
  /** What the kernel and the client's own buffers may hold beside the bytes that count. */
  const slack = 8 * 1_048_576;
  const endings: readonly (readonly [string, Fault, string])[] = [
    ['manifest', { kind: 'endless' }, 'invalid_manifest'],
    ['manifest', { kind: 'endlessError', status: 404 }, 'image_not_found'],
    ['manifest', { kind: 'endlessHeaders' }, 'registry_protocol'],
    ['token', { kind: 'endless' }, 'registry_protocol'],
    ['token', { kind: 'endlessError', status: 403 }, 'access_denied'],
    ['token', { kind: 'endlessHeaders' }, 'registry_protocol'],
    ['blob', { kind: 'endless' }, 'size_mismatch'],
    ['blob', { kind: 'endlessError', status: 404 }, 'blob_not_found'],
    ['blob', { kind: 'endlessHeaders' }, 'registry_protocol'],
  ];

  it.each(endings)(
    'to a request for a %s, %o, is left early and its connection closed',
    async (what, fault, code) => {
      const hostile = await createRig();
      const auth = { kind: 'bearer', realm: `${hostile.fake.url}/token` } as const;
      const rig = what === 'token' ? await withLayer({ auth }) : await withLayer();
      const target = { manifest: 'latest', token: '/token', blob: rig.layer.digest }[what] ?? '';
      const { fake } = what === 'token' ? hostile : rig;
      fake.fault(target, fault, 9);
      const error =
        what === 'blob' ? await errorOf(rig.read(rig.layer)) : await rig.failure(rig.image.reference);
      expect(error).toMatchObject({ code });
      await expect.poll(() => fake.connections()).toBe(0);
      expect(fake.bytesSent()).toBeLessThan(4 * 1_048_576 + fake.requests.length * slack);
    },
  );
});

it('a registry that nobody listens for is tried three times more for a layer', async () => {
  const layer = { mediaType: 'x/y', digest: digestOf(Buffer.from('x')), size: 1 };
  const client = createRegistry({ userAgent: 'test', clock: systemClock });
  const refusals: unknown[] = [];
  const source = resuming(client.blobs(parseReference(`127.0.0.1:${await freePort()}/library/app`)), {
    clock: systemClock,
    delayMs: 0,
    onRetry: (error) => refusals.push(error),
  });
  const reading = async () => {
    for await (const _ of source.open(layer, { signal: new AbortController().signal })) return;
  };
  expect(await errorOf(reading())).toMatchObject({ code: 'registry_unreachable' });
  expect(refusals).toHaveLength(3);
  await client.close();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
