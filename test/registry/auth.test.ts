import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../support/fake-clock.ts';
import { createRig, first } from './support.ts';

const tokenGets = (requests: readonly { readonly path: string }[]) =>
  requests.filter(({ path }) => path === '/token').length;

describe('a registry with tokens', () => {
  it.each(['token', 'access_token'] as const)(
    'gives one to anonymous readers in the field %s',
    async (field) => {
      const { fake, resolve } = await createRig({ auth: { kind: 'bearer', field } });
      const made = fake.addImage();
      await resolve(made.reference);
      expect(fake.requests.map(({ path, status }) => [path, status])).toEqual([
        ['/v2/library/app/manifests/latest', 401],
        ['/token', 200],
        ['/v2/library/app/manifests/latest', 200],
      ]);
      expect(Object.fromEntries(fake.requests[1]?.query ?? [])).toEqual({
        service: 'fake registry',
        scope: 'repository:library/app:pull',
      });
      expect(fake.requests[2]?.authorization).toBe('Bearer good-token');
    },
  );

  it('is asked once for all blobs of a repository, also at the same time', async () => {
    const { fake, read } = await createRig({ auth: { kind: 'bearer' } });
    const made = fake.addImage();
    const [one, two, three] = made.layers;
    if (!one || !two || !three) throw new Error('three layers were made');
    const contents = await Promise.all([one, two, three].map((layer) => read(layer)));
    expect(contents).toEqual([one.bytes, two.bytes, three.bytes]);
    expect(tokenGets(fake.requests)).toBe(1);
    await read(one);
    expect(tokenGets(fake.requests)).toBe(1);
    expect(fake.requests.at(-1)).toMatchObject({ status: 200, authorization: 'Bearer good-token' });
  });

  it('is asked for each repository by itself', async () => {
    const { fake, resolve } = await createRig({ auth: { kind: 'bearer' } });
    await resolve(fake.addImage().reference);
    await resolve(fake.addImage({ repository: 'library/other' }).reference);
    expect(tokenGets(fake.requests)).toBe(2);
  });

  it('is asked for a new one when the old one ran out, before it is refused', async () => {
    const clock = createFakeClock();
    const { fake, resolve } = await createRig({ clock, auth: { kind: 'bearer', expiresIn: 100 } });
    const made = fake.addImage();
    await resolve(made.reference);
    await clock.advance(99_000);
    await resolve(made.reference);
    expect(tokenGets(fake.requests)).toBe(1);
    await clock.advance(2_000);
    await resolve(made.reference);
    expect(tokenGets(fake.requests)).toBe(2);
    expect(fake.requests.filter(({ status }) => status === 401)).toHaveLength(1);
  });

  it('takes a short or absent lifetime for a minute', async () => {
    const clock = createFakeClock();
    const { fake, resolve } = await createRig({ clock, auth: { kind: 'bearer', expiresIn: 1 } });
    const made = fake.addImage();
    await resolve(made.reference);
    await clock.advance(59_000);
    await resolve(made.reference);
    expect(tokenGets(fake.requests)).toBe(1);
  });

  it('that refuses its own token denies access, after one retry', async () => {
    const { fake, failure } = await createRig({ auth: { kind: 'bearer', refusesToken: true } });
    expect(await failure(fake.addImage().reference)).toMatchObject({ code: 'access_denied' });
    expect(fake.requests).toHaveLength(3);
  });

  it.each([
    [401, 'access_denied'],
    [403, 'access_denied'],
    [404, 'registry_protocol'],
    [500, 'registry_failed'],
  ])('whose token service answers %i: %s', async (tokenStatus, code) => {
    const { fake, failure } = await createRig({ auth: { kind: 'bearer', tokenStatus } });
    expect(await failure(fake.addImage().reference)).toMatchObject({ code });
  });

  it('is tried again when its token service fails for a moment', async () => {
    const { fake, resolve } = await createRig({ auth: { kind: 'bearer' } });
    const made = fake.addImage();
    fake.fault('/token', { kind: 'serverError', status: 503 }, 2);
    expect((await resolve(made.reference)).manifest.descriptor.digest).toBe(made.digest);
  });

  it.each([
    ['ftp://auth.example/', 'neither http nor https'],
    ['not a url', 'is no URL'],
    ['http://169.254.169.254/latest/meta-data', 'link-local'],
    ['http://[fe80::1]/', 'link-local'],
    ['http://user:hunter2@127.0.0.1/', 'credentials'],
  ])('whose token service is %s is not followed there', async (realm, problem) => {
    const { fake, failure } = await createRig({ auth: { kind: 'bearer', realm } });
    const error = await failure(fake.addImage().reference);
    expect(error).toMatchObject({ code: 'registry_protocol', message: expect.stringContaining(problem) });
    expect(String(error)).not.toContain('hunter2');
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['no token', '{}'],
    ['an empty token', '{"token":""}'],
    ['a token that would add a header', '{"token":"a\\r\\nx: y"}'],
    ['a token of another type', '{"token":[1]}'],
    ['far too much', `{"token":"${'x'.repeat(100_000)}"}`],
  ])('whose token service answers with %s is set up wrongly', async (_, bytes) => {
    const realm = { url: '' };
    const service = await createRig();
    service.fake.fault('/v2/library/app/manifests/t', { kind: 'body', bytes, mediaType: 'application/json' });
    realm.url = `${service.fake.url}/v2/library/app/manifests/t`;
    const { fake, failure } = await createRig({ auth: { kind: 'bearer', realm: realm.url } });
    expect(await failure(fake.addImage().reference)).toMatchObject({
      code: 'registry_protocol',
      message: expect.stringContaining('without a usable token'),
    });
  });

  it('keeps its token from the host that it redirects blobs to, whose challenge is not answered', async () => {
    const far = await createRig({ auth: { kind: 'bearer' } });
    const near = await createRig({ auth: { kind: 'bearer' } });
    const layer = first(near.fake.addImage().layers);
    far.fake.addImage();
    await near.resolve(`${near.fake.host}/library/app`);
    near.fake.fault(layer.digest, {
      kind: 'redirectsTo',
      url: `${far.fake.url}/v2/library/app/blobs/${layer.digest}`,
    });
    await expect(near.read(layer)).rejects.toMatchObject({ code: 'access_denied' });
    expect(far.fake.requests).toHaveLength(1);
    expect(first(far.fake.requests).authorization).toBeUndefined();
  });
});

it('a registry with passwords denies access', async () => {
  const { fake, failure } = await createRig({ auth: { kind: 'basic' } });
  expect(await failure(fake.addImage().reference)).toMatchObject({
    code: 'access_denied',
    message: expect.stringContaining('denies access to'),
    hint: expect.stringContaining('does not exist'),
  });
  expect(fake.requests).toHaveLength(1);
});
