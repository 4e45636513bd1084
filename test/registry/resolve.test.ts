import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { descriptorOf, jsonBlob, makeBlob } from '../support/fake-registry.ts';
import { amd64, createRig, errorOf, first } from './support.ts';

const arm64: Platform = { os: 'linux', architecture: 'arm64' };
const arm = (variant: string): Platform => ({ os: 'linux', architecture: 'arm', variant });

describe('resolving', () => {
  it('gives manifest, config and layers of a tag', async () => {
    const { fake, resolve } = await createRig();
    const made = fake.addImage();
    const image = await resolve(made.reference);
    expect(image.index).toBeUndefined();
    expect(image.manifest.descriptor).toEqual(descriptorOf(made.manifest));
    expect(Buffer.from(image.manifest.bytes)).toEqual(made.manifest.bytes);
    expect(image.config).toEqual(descriptorOf(made.config));
    expect(image.layers).toEqual(made.layers.map(descriptorOf));
    expect(image.platform).toEqual(amd64);
    expect(fake.requests).toHaveLength(1);
    expect(fake.requests[0]).toMatchObject({ userAgent: 'layerpull/test', authorization: undefined });
    expect(fake.requests[0]?.accept).toContain(mediaTypes.dockerSchema1);
  });

  it.each([{ docker: true }, { docker: false }, { algorithm: 'sha512' as const }])(
    'takes the platform from an index: %o',
    async (options) => {
      const { fake, resolve } = await createRig();
      const made = fake.addImage({ ...options, platforms: [amd64, arm64], attestation: true });
      const image = await resolve(made.reference, arm64);
      expect(image.manifest.descriptor.digest).toBe(made.manifests[1]?.digest);
      expect(image.index?.descriptor).toMatchObject({
        mediaType: made.index?.mediaType,
        size: made.index?.size,
      });
      expect(image.platform).toEqual(arm64);
    },
  );

  it('goes by digest when there is one, whatever the tag says', async () => {
    const { fake, resolve } = await createRig();
    const made = fake.addImage();
    const image = await resolve(`${fake.host}/library/app:gone@${made.digest}`);
    expect(image.manifest.descriptor.digest).toBe(made.digest);
    expect(fake.manifestGets('gone')).toBe(0);
  });

  it('computes a sha512 digest of what was asked for so', async () => {
    const { fake, resolve } = await createRig();
    const made = fake.addImage({ algorithm: 'sha512' });
    const image = await resolve(`${fake.host}/library/app@${made.digest}`);
    expect(image.manifest.descriptor.digest).toBe(made.digest);
  });

  it('follows an index inside of an index', async () => {
    const { fake, resolve } = await createRig();
    const inner = fake.addImage({ tag: 'inner', platforms: [arm64, amd64] });
    const outer = indexOf([inner.index]);
    fake.addManifest('library/app', outer, 'outer');
    const image = await resolve(`${fake.host}/library/app:outer`);
    expect(image.manifest.descriptor.digest).toBe(inner.manifests[1]?.digest);
    expect(image.index?.descriptor.digest).toBe(outer.digest);
  });

  it('takes the only manifest of an index that names no platform', async () => {
    const { fake, resolve } = await createRig();
    const made = fake.addImage();
    fake.addManifest('library/app', indexOf([made.manifest]), 'plain');
    expect((await resolve(`${fake.host}/library/app:plain`)).manifest.descriptor.digest).toBe(made.digest);
  });

  it('falls back to what a newer processor also runs', async () => {
    const { fake, resolve } = await createRig();
    const made = fake.addImage({ platforms: [arm('v5'), arm('v6'), { ...arm64, variant: 'v8' }] });
    expect((await resolve(made.reference, arm('v7'))).platform).toEqual(arm('v6'));
    expect((await resolve(made.reference, arm64)).platform).toEqual(arm64);
  });

  it('names the platforms that there are when none fits', async () => {
    const { fake, failure } = await createRig();
    const made = fake.addImage({ platforms: [arm64, arm('v7')], attestation: true });
    expect(await failure(made.reference)).toMatchObject({
      code: 'platform_not_found',
      message: `${made.reference} has no image for linux/amd64: there are linux/arm/v7, linux/arm64`,
    });
  });
});

describe('content that cannot be trusted', () => {
  it('is refused when its digest is another than the one asked for', async () => {
    const { fake, failure } = await createRig();
    const made = fake.addImage();
    fake.fault(made.digest, { kind: 'wrongDigest' }, 9);
    expect(await failure(`${fake.host}/library/app@${made.digest}`)).toMatchObject({
      code: 'digest_mismatch',
    });
    expect(fake.requests).toHaveLength(1);
  });

  it('is refused when an index names another digest or size', async () => {
    const { fake, failure } = await createRig();
    const made = fake.addImage({ platforms: [amd64] });
    fake.fault(made.manifest.digest, { kind: 'wrongDigest' });
    expect(await failure(made.reference)).toMatchObject({ code: 'digest_mismatch' });
    const wrong = indexOf([{ ...made.manifest, size: made.manifest.size + 1 }]);
    fake.addManifest('library/app', wrong, 'wrong');
    expect(await failure(`${fake.host}/library/app:wrong`)).toMatchObject({ code: 'size_mismatch' });
  });

  it('counts, not what a header says about its digest', async () => {
    const { fake, resolve } = await createRig();
    const made = fake.addImage();
    fake.fault('latest', { kind: 'lyingDigestHeader' });
    expect((await resolve(made.reference)).manifest.descriptor.digest).toBe(made.digest);
  });

  it('is read up to 4 MiB', async () => {
    const { fake, failure } = await createRig();
    const made = fake.addImage();
    fake.fault('latest', { kind: 'hugeManifest' });
    expect(await failure(made.reference)).toMatchObject({ code: 'invalid_manifest' });
    fake.fault('latest', { kind: 'body', bytes: Buffer.alloc(4 * 1_048_576 + 1, ' ') });
    expect(await failure(made.reference)).toMatchObject({
      code: 'invalid_manifest',
      message: expect.stringContaining('longer than'),
    });
  });

  it('may lie four indexes deep, and no circle is followed for ever', async () => {
    const { fake, resolve, failure } = await createRig();
    const made = fake.addImage();
    let top = indexOf([made.manifest]);
    for (let depth = 2; depth <= 5; depth += 1) {
      fake.addManifest('library/app', top, `depth-${depth - 1}`);
      top = indexOf([top]);
    }
    fake.addManifest('library/app', top, 'depth-5');
    expect((await resolve(`${fake.host}/library/app:depth-4`)).manifest.descriptor.digest).toBe(made.digest);
    expect(await failure(`${fake.host}/library/app:depth-5`)).toMatchObject({
      code: 'invalid_manifest',
      message: expect.stringContaining('4 deep'),
    });
  });

  it('may not send us through any number of documents', async () => {
    const { fake, failure } = await createRig();
    const inner = Array.from({ length: 40 }, (_, place) => {
      const index = jsonBlob({ schemaVersion: 2, manifests: [], place }, mediaTypes.ociIndex);
      fake.addManifest('library/app', index);
      return index;
    });
    fake.addManifest('library/app', indexOf(inner), 'wide');
    expect(await failure(`${fake.host}/library/app:wide`)).toMatchObject({ code: 'invalid_manifest' });
    expect(fake.requests.length).toBeLessThan(20);
  });

  it('is told apart from a web page', async () => {
    const { fake, failure } = await createRig();
    fake.fault('latest', {
      kind: 'body',
      bytes: '<html>sign in</html>',
      mediaType: 'text/html; charset=utf-8',
    });
    expect(await failure(fake.addImage().reference)).toMatchObject({
      code: 'invalid_manifest',
      message: expect.stringContaining('web page'),
    });
  });
});

describe('a registry that refuses or fails', () => {
  it('does not know the tag', async () => {
    const { fake, failure } = await createRig();
    const name = `${fake.host}/library/app:gone`;
    expect(await failure(name)).toMatchObject({
      code: 'image_not_found',
      message: `${name} was not found at ${fake.host}: manifest unknown`,
    });
    expect(fake.requests).toHaveLength(1);
  });

  it.each([
    [{ kind: 'denied' } as const, 'access_denied', 1],
    [{ kind: 'serverError', status: 501 } as const, 'registry_failed', 1],
    [{ kind: 'serverError', status: 500 } as const, 'registry_failed', 4],
    [{ kind: 'serverError', status: 400 } as const, 'registry_protocol', 1],
    [{ kind: 'tooManyRequests' } as const, 'rate_limited', 4],
    [{ kind: 'reset' } as const, 'registry_unreachable', 4],
    [{ kind: 'flaky', afterBytes: 10 } as const, 'registry_unreachable', 4],
    [{ kind: 'schema1' } as const, 'unsupported_manifest', 1],
  ])('answers %o: %s after %i requests', async (fault, code, requests) => {
    const { fake, failure } = await createRig();
    const made = fake.addImage();
    fake.fault('latest', fault, 99);
    const error = await failure(made.reference);
    expect(error).toMatchObject({ code, message: expect.not.stringContaining('\n') });
    expect(fake.requests).toHaveLength(requests);
  });

  it.each([{ kind: 'reset' }, { kind: 'flaky', afterBytes: 10 }, { kind: 'tooManyRequests' }] as const)(
    'is asked again after $kind, and then it works',
    async (fault) => {
      const { fake, resolve } = await createRig();
      const made = fake.addImage();
      fake.fault('latest', fault, 3);
      expect((await resolve(made.reference)).manifest.descriptor.digest).toBe(made.digest);
    },
  );

  it('has its words put on one line, without control characters and without end', async () => {
    const { fake, failure } = await createRig();
    const text = `bad\u001b[31m\nthing \u202e Bearer abcdef ${'x'.repeat(5_000)}`;
    fake.fault('latest', { kind: 'serverError', status: 501, text });
    const error = (await failure(fake.addImage().reference)) as Error;
    expect(error.message).toContain('bad [31m thing Bearer …');
    expect(error.message.length).toBeLessThan(300);
  });

  it('is not there: named with the reason, and asked twice at most', async () => {
    const { failure } = await createRig();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await new Promise((resolve) => server.close(resolve));
    expect(await failure(`127.0.0.1:${port}/app`)).toMatchObject({
      code: 'registry_unreachable',
      message: `cannot reach 127.0.0.1:${port}: connection refused`,
    });
  });

  it('is silent until the signal aborts', async () => {
    const { fake, client } = await createRig();
    const made = fake.addImage();
    fake.fault('latest', { kind: 'silent' });
    const abort = new AbortController();
    const failing = errorOf(
      client.resolve(parseReference(made.reference), { platform: amd64 }, abort.signal),
    );
    await fake.arrived('latest');
    const reason = new Error('interrupted');
    abort.abort(reason);
    expect(await failing).toBe(reason);
  });

  it('does not speak http', async () => {
    const { failure } = await createRig();
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end('SSH-2.0-OpenSSH\r\n'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const error = await failure(`127.0.0.1:${port}/app`);
    server.close();
    expect(error).toMatchObject({
      code: 'registry_unreachable',
      hint: expect.stringContaining('does not speak http'),
    });
  });
});

describe('a redirect of a manifest', () => {
  it('is followed to another host without the token', async () => {
    const near = await createRig({ auth: { kind: 'bearer' } });
    const far = await createRig();
    const made = near.fake.addImage();
    far.fake.addImage();
    near.fake.fault(
      'latest',
      { kind: 'redirectsTo', url: `${far.fake.url}/v2/library/app/manifests/latest` },
      9,
    );
    near.fake.fault('/other', { kind: 'notFound' });
    expect((await near.resolve(made.reference)).manifest.descriptor.digest).toBe(made.digest);
    expect(first(far.fake.requests).authorization).toBeUndefined();
  });

  it('that goes round in circles ends', async () => {
    const { fake, failure } = await createRig();
    const made = fake.addImage();
    fake.fault('latest', { kind: 'redirectsTo', url: 'latest' }, 99);
    expect(await failure(made.reference)).toMatchObject({ code: 'registry_protocol' });
    expect(fake.requests).toHaveLength(6);
  });
});

function indexOf(manifests: readonly (Parameters<typeof descriptorOf>[0] | undefined)[]) {
  const entries = manifests.flatMap((one) => (one ? [descriptorOf(one)] : []));
  const value = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries };
  return makeBlob(Buffer.from(JSON.stringify(value)), mediaTypes.ociIndex);
}
