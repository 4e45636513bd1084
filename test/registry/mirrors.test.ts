import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { LayerpullError } from '../../src/core/errors.ts';
import { createRegistry, type RegistryOptions } from '../../src/registry/client.ts';
import { endpointOf } from '../../src/registry/endpoint.ts';
import { createImageServers, type MirrorSources } from '../../src/registry/mirrors.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { createRegistriesConf } from '../../src/registry/registries-conf.ts';
import type { SourceUse } from '../../src/source/blob-source.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import {
  createFakeRegistry,
  type FakeImage,
  type FakeRegistry,
  type FakeRegistryOptions,
} from '../support/fake-registry.ts';
import { amd64, errorOf, first } from './support.ts';

const { signal } = new AbortController();
const imageOptions = { layers: [5_000, 300] };

async function fakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const fake = await createFakeRegistry(options);
  onCleanup(() => fake.close());
  return fake;
}

interface Stage {
  /** The mirrors `a` and `b`, and the registry itself. */
  readonly a: FakeRegistry;
  readonly b: FakeRegistry;
  readonly own: FakeRegistry;
  /** The same image in all three. */
  readonly image: FakeImage;
  readonly clock: Clock;
  resolve(reference?: string): Promise<string>;
  /** Reads the image's first layer. Answers with its length and the hosts that were asked. */
  read(): Promise<{ bytes: number; hosts: string[] }>;
}

interface StageOptions {
  readonly clock?: Clock;
  readonly registry?: Partial<RegistryOptions>;
  readonly mirrors?: RegistryOptions['mirrors'];
  readonly fakes?: FakeRegistryOptions;
}

async function setUp({ clock = systemClock, registry, mirrors, fakes }: StageOptions = {}): Promise<Stage> {
  const [a, b, own] = [await fakeRegistry(fakes), await fakeRegistry(fakes), await fakeRegistry(fakes)];
  const [image] = [own, a, b].map((fake) => fake.addImage(imageOptions));
  if (!image) throw new Error('no image was made');
  const places = [a, b].map(({ host }) => ({ host, path: '' }));
  const client = createRegistry({
    ...{ userAgent: 'layerpull/test', clock, bounds: { delayMs: 0 } },
    mirrors: { mirrorsOf: () => ({ places, shuffled: false }), ...mirrors },
    ...registry,
  });
  onCleanup(() => client.close());
  const names = new Map([a, b, own].map(({ url }, index) => [url, ['a', 'b', 'own'][index] ?? '']));
  return {
    ...{ a, b, own, image, clock },
    resolve: async (reference = image.reference) =>
      (await client.resolve(parseReference(reference), { platform: amd64 }, signal)).manifest.descriptor
        .digest,
    async read() {
      const uses: SourceUse[] = [];
      let bytes = 0;
      const source = client.blobs(parseReference(image.reference));
      const request = { signal, onSource: (use: SourceUse) => uses.push(use) };
      for await (const chunk of source.open(first(image.layers), request)) bytes += chunk.length;
      return { bytes, hosts: uses.map(({ url }) => names.get(url) ?? url) };
    },
  };
}

describe('the manifest of an image with mirrors', () => {
  it('comes from the first mirror, and nobody else is asked', async () => {
    const { a, b, own, image, resolve } = await setUp();
    expect(await resolve()).toBe(image.manifest.digest);
    expect([a, b, own].map(({ requests }) => requests.length)).toEqual([1, 0, 0]);
  });

  it.each([
    ['is away', { kind: 'reset' }],
    ['lacks it', { kind: 'notFound' }],
    ['denies it', { kind: 'denied' }],
    ['fails', { kind: 'serverError', status: 503 }],
    ['limits requests', { kind: 'tooManyRequests', retryAfter: '1' }],
    ['has none of ours', { kind: 'schema1' }],
    ['sends no manifest', { kind: 'body', bytes: '<html>', mediaType: 'text/html' }],
    ['sends too much', { kind: 'hugeManifest' }],
    ['redirects to a link-local address', { kind: 'redirectsTo', url: 'http://169.254.169.254/' }],
  ] as const)('comes from the next one where a mirror %s', async (_what, fault) => {
    const { a, b, own, image, resolve } = await setUp();
    a.fault(image.tag, fault, 9);
    expect(await resolve()).toBe(image.manifest.digest);
    expect([a, b, own].map(({ requests }) => requests.length)).toEqual([1, 1, 0]);
  });

  it('by digest is not taken from a mirror that sends another one', async () => {
    const { a, b, image, resolve } = await setUp();
    const other = a.addImage({ ...imageOptions, tag: 'other', layers: [1] });
    a.fault(image.digest, { kind: 'body', bytes: other.manifest.bytes, mediaType: other.manifest.mediaType });
    expect(await resolve(`${image.reference.replace(/:[^:]*$/, '')}@${image.digest}`)).toBe(image.digest);
    expect(b.manifestGets(image.digest)).toBe(1);
  });

  it('is not found where nobody has it, and the error lists all with their reasons', async () => {
    const { a, b, own, image, resolve } = await setUp();
    a.fault('gone', { kind: 'serverError', status: 500 }, 9);
    const reference = image.reference.replace(/:latest$/, ':gone');
    expect(await errorOf(resolve(reference))).toMatchObject({
      code: 'image_not_found',
      exitCode: 3,
      message:
        `no server gave ${reference}: ${a.host} failed with status 500: the storage is on fire; ` +
        `${b.host} does not have it; ${own.host} does not have it`,
    });
    expect([a, b, own].map((fake) => fake.manifestGets('gone'))).toEqual([1, 1, 1]);
  });

  it('is asked of all once more while the failure of the registry may pass', async () => {
    const { a, b, own, image, resolve } = await setUp();
    for (const fake of [a, b]) fake.fault(image.tag, { kind: 'notFound' }, 9);
    own.fault(image.tag, { kind: 'serverError', status: 503 }, 2);
    expect(await resolve()).toBe(image.manifest.digest);
    expect(own.manifestGets(image.tag)).toBe(3);
  });

  it('ends with the reason of the signal when the pull is aborted', async () => {
    const { a, own, image } = await setUp();
    a.fault(image.tag, { kind: 'silent' });
    const abort = new AbortController();
    const client = createRegistry({
      ...{ userAgent: 'layerpull/test', clock: systemClock },
      mirrors: { mirrorsOf: () => ({ places: [{ host: a.host, path: '' }], shuffled: false }) },
    });
    onCleanup(() => client.close());
    const work = client.resolve(parseReference(image.reference), { platform: amd64 }, abort.signal);
    work.catch(() => {});
    await a.arrived(image.tag);
    abort.abort(new Error('interrupted'));
    await expect(work).rejects.toThrow('interrupted');
    expect(own.requests).toEqual([]);
  });
});

describe('a mirror that failed', () => {
  it('is left alone for a while, over all layers', async () => {
    const clock = createFakeClock();
    const { a, image, read } = await setUp({ clock, mirrors: { coolDownMs: 60_000 } });
    a.fault(first(image.layers).digest, { kind: 'serverError', status: 500 });
    expect((await read()).hosts).toEqual(['a', 'b']);
    expect((await read()).hosts).toEqual(['b']);
    await clock.advance(59_999);
    expect((await read()).hosts).toEqual(['b']);
    await clock.advance(1);
    expect((await read()).hosts).toEqual(['a']);
  });

  it('is left alone for as long as it asks for, if that is longer', async () => {
    const clock = createFakeClock();
    const { a, image, read } = await setUp({ clock, mirrors: { coolDownMs: 1_000 } });
    a.fault(first(image.layers).digest, { kind: 'tooManyRequests', retryAfter: '120' });
    await read();
    await clock.advance(119_999);
    expect((await read()).hosts).toEqual(['b']);
    await clock.advance(1);
    expect((await read()).hosts).toEqual(['a']);
  });

  it('for a manifest is left alone for its layers too', async () => {
    const { a, image, resolve, read } = await setUp();
    a.fault(image.tag, { kind: 'notFound' });
    await resolve();
    expect((await read()).hosts).toEqual(['b']);
  });

  it('because it lacks one blob is asked for the next', async () => {
    const { a, image, read } = await setUp();
    a.fault(first(image.layers).digest, { kind: 'notFound' });
    expect((await read()).hosts).toEqual(['a', 'b']);
    expect((await read()).hosts).toEqual(['a']);
  });

  it('is asked all the same when everybody else failed too', async () => {
    const clock = createFakeClock();
    const { a, b, own, image, read } = await setUp({ clock });
    const layer = first(image.layers).digest;
    a.fault(layer, { kind: 'reset' });
    await read();
    for (const fake of [b, own]) fake.fault(layer, { kind: 'reset' });
    expect((await read()).hosts).toEqual(['b', 'own', 'a']);
  });
});

describe('the layers of an image with mirrors', () => {
  it('go on from the byte that was reached, with a range', async () => {
    const { a, b, image, read } = await setUp();
    const layer = first(image.layers);
    a.fault(layer.digest, { kind: 'flaky', afterBytes: 1_000 });
    expect(await read()).toEqual({ bytes: 5_000, hosts: ['a', 'b'] });
    expect(b.requests.map(({ range }) => range)).toEqual(['bytes=1000-4999']);
    expect(a.bytesSent(layer.digest) + b.bytesSent(layer.digest)).toBe(5_000);
  });

  it('leave a mirror that falls silent', async () => {
    const clock = createFakeClock();
    const { a, image, read } = await setUp({ clock, registry: { stallMs: 20_000 } });
    const layer = first(image.layers);
    a.fault(layer.digest, { kind: 'stalling', afterBytes: 1_000 });
    const work = read();
    await a.arrived(layer.digest);
    while (a.bytesSent(layer.digest) < 1_000) await new Promise((resolve) => setImmediate(resolve));
    let over = false;
    void work.finally(() => {
      over = true;
    });
    while (!over) await clock.advance(1_000);
    expect(await work).toEqual({ bytes: 5_000, hosts: ['a', 'b'] });
  });

  it('end with one error that lists everybody', async () => {
    const { a, b, own, image, read } = await setUp();
    const { digest } = first(image.layers);
    a.fault(digest, { kind: 'denied' });
    b.fault(digest, { kind: 'tooShort', missingBytes: 1 });
    own.fault(digest, { kind: 'notFound' });
    const error = (await errorOf(read())) as LayerpullError;
    expect(error).toMatchObject({ code: 'blob_not_found', exitCode: 3 });
    expect(error.message).toBe(
      `no server gave ${digest}: ${a.host} denies access; ` +
        `${b.host} sends blob ${digest} with 4999 bytes, not 5000; ${own.host} does not have it`,
    );
  });
});

describe('credentials and mirrors', () => {
  it('are each host its own: a token of one is shown to no other', async () => {
    const { a, b, own, image, resolve, read } = await setUp({ fakes: { auth: { kind: 'bearer' } } });
    a.fault(first(image.layers).digest, { kind: 'flaky', afterBytes: 10 });
    await resolve();
    await read();
    expect(own.requests).toEqual([]);
    const tokens = (fake: FakeRegistry) => fake.requests.filter(({ path }) => path === '/token').length;
    expect([tokens(a), tokens(b)]).toEqual([1, 1]);
    expect(b.requests[0]?.authorization).toBeUndefined();
  });
});

describe('the servers of an image', () => {
  const overHttps = (registry: string) => endpointOf(registry, false);
  const urls = async (image: string, sources: MirrorSources & { random?: () => number }) => {
    const servers = await createImageServers({ endpointOf: overHttps, ...sources })(parseReference(image));
    return servers.map(({ url, scope }) => `${url} ${scope.repository}`);
  };
  const places = ['a.example', 'b.example', 'c.example'].map((host) => ({ host, path: '' }));
  const conf = (document: unknown) => ({
    loadRegistriesConf: async () => createRegistriesConf([{ path: '/conf', document }]),
  });

  it('have the full name of a Docker Hub image, at its path, over the scheme that was given', async () => {
    const list = [
      { scheme: 'http', host: '10.0.0.11:5000', path: '' },
      { scheme: 'https', host: '127.0.0.1:5001', path: 'proxy/hub' },
      { host: 'localhost:5002', path: '' },
    ] as const;
    expect(await urls('busybox', { mirrorsOf: () => ({ places: list, shuffled: false }) })).toEqual([
      'http://10.0.0.11:5000 library/busybox',
      'https://127.0.0.1:5001/proxy/hub proxy/hub/library/busybox',
      'http://localhost:5002 library/busybox',
      'https://registry-1.docker.io library/busybox',
    ]);
  });

  it('are asked for by the name of the registry', async () => {
    const asked: string[] = [];
    await urls('registry.example:5000/a', { mirrorsOf: (registry) => void asked.push(registry) });
    expect(asked).toEqual(['registry.example:5000']);
  });

  it('are shuffled but for the registry itself, as the random numbers say', async () => {
    const sources = { mirrorsOf: () => ({ places, shuffled: true }) };
    const order = async (...numbers: number[]) =>
      (await urls('x.example/a', { ...sources, random: () => numbers.shift() ?? 0 })).map((url) =>
        url.slice(8, 9),
      );
    expect(await order(0, 0)).toEqual(['b', 'c', 'a', 'x']);
    expect(await order(0.99, 0.99)).toEqual(['a', 'b', 'c', 'x']);
    expect(await order(0.5, 0)).toEqual(['c', 'a', 'b', 'x']);
  });

  it('are each there once, and the registry is no mirror of itself', async () => {
    const twice = [...places, ...places, { host: 'x.example', path: '' }];
    const list = await urls('x.example/a', { mirrorsOf: () => ({ places: twice, shuffled: false }) });
    expect(list.map((url) => url.slice(8, 9))).toEqual(['a', 'b', 'c', 'x']);
  });

  const document = {
    registry: [
      {
        location: 'x.example',
        insecure: true,
        mirror: [{ location: 'm.example/sub', insecure: true }, { location: 'n.example' }],
      },
    ],
  };

  it('may be those of registries.conf, which says whom not to trust', async () => {
    const insecureHosts = new Set<string>();
    const servers = createImageServers({ endpointOf: overHttps, insecureHosts, ...conf(document) });
    const list = (await servers(parseReference('x.example/a'))).map(
      ({ url, scope }) => `${url} ${scope.repository}`,
    );
    expect(list).toEqual(['https://m.example sub/a', 'https://n.example a', 'https://x.example a']);
    expect([...insecureHosts]).toEqual(['m.example', 'x.example']);
  });

  it('are those of the command line or the configuration file before those of registries.conf', async () => {
    const named = { ...conf(document), mirrorsOf: () => ({ places: places.slice(0, 1), shuffled: false }) };
    expect(await urls('x.example/a', named)).toEqual(['https://a.example a', 'https://x.example a']);
    const none = { ...conf(document), mirrorsOf: () => ({ places: [], shuffled: false }) };
    expect(await urls('x.example/a', none)).toEqual(['https://x.example a']);
  });

  it('are none for an image that registries.conf blocks', async () => {
    const blocking = conf({ registry: [{ location: 'x.example/secret', blocked: true }] });
    await expect(urls('x.example/secret/a', blocking)).rejects.toMatchObject({
      code: 'access_denied',
      exitCode: 4,
      message: 'x.example/secret/a is blocked by /conf',
    });
    expect(await urls('x.example/other', blocking)).toEqual(['https://x.example other']);
  });

  it('read registries.conf once', async () => {
    let reads = 0;
    const servers = createImageServers({
      endpointOf: overHttps,
      loadRegistriesConf: async () => {
        reads += 1;
        return undefined;
      },
    });
    await Promise.all(['a', 'b'].map((name) => servers(parseReference(name))));
    expect(reads).toBe(1);
  });
});
