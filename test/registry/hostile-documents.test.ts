import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { isLayerpullError, messageOf } from '../../src/core/errors.ts';
import { isLinkLocal } from '../../src/http/addresses.ts';
import type { HttpRequest } from '../../src/http/client.ts';
import { createRegistry } from '../../src/registry/client.ts';
import type { ResolvedImage } from '../../src/registry/image-registry.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { createScriptedHttp, type ScriptedReply } from '../support/scripted-http.ts';
import { soakProperty } from '../support/soak.ts';
import { amd64 } from './support.ts';

const reference = parseReference('registry.test/team/app:1');

interface Run {
  readonly image: ResolvedImage | undefined;
  readonly requests: readonly HttpRequest[];
}

/** Resolves at a registry that answers so: with an image or a LayerpullError of one readable line. */
async function resolveFrom(answer: (request: HttpRequest, place: number) => ScriptedReply): Promise<Run> {
  const http = createScriptedHttp(answer);
  const registry = createRegistry({ userAgent: 'test', clock: systemClock, http, bounds: { delayMs: 0 } });
  try {
    const image = await registry.resolve(reference, { platform: amd64 }, new AbortController().signal);
    return { image, requests: http.requests };
  } catch (error) {
    if (!isLayerpullError(error)) throw error;
    expect(error.message).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    expect(messageOf(error).length).toBeLessThan(2_000);
    return { image: undefined, requests: http.requests };
  } finally {
    expect(http.open()).toBe(0);
    await registry.close();
  }
}

function reply(body: string | Uint8Array, contentType: string, status = 200): ScriptedReply {
  const bytes = Buffer.from(body);
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000);
  };
  return { status, headers: { 'content-type': contentType }, body: pieces() };
}

describe('whatever a registry answers to a request for a manifest', () => {
  const digest = digestOf(Buffer.from('x'));
  const descriptor = { mediaType: mediaTypes.ociLayerGzip, digest, size: 1 };
  const config = { ...descriptor, mediaType: mediaTypes.ociConfig };
  const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [descriptor] };
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...descriptor, mediaType: mediaTypes.ociManifest, platform: amd64 }],
  };
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('../../etc/passwd', 'sha256:..', `sha256:${'A'.repeat(64)}`, `md5:${'a'.repeat(32)}`),
    fc.constantFrom<unknown>(-1, 1e30, 0.5, null, '__proto__', [], {}, digest, '\u001b[2J\n'),
  );
  const paths = fc.constantFrom(
    ...['schemaVersion', 'mediaType', 'config', 'layers', 'manifests', 'config.digest', 'config.size'],
    ...['layers.0', 'layers.0.digest', 'layers.0.size', 'layers.0.mediaType', 'layers.0.urls', 'annotations'],
    ...[
      'manifests.0.digest',
      'manifests.0.platform',
      'manifests.0.platform.os',
      'manifests.0.size',
      'fsLayers',
    ],
  );
  const changes = fc.array(fc.tuple(paths, odd), { maxLength: 4 });
  const types = fc.constantFrom<string>(
    ...[...Object.values(mediaTypes), 'application/json', 'text/html', '', 'application/json; charset=utf-8'],
  );
  const document = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom(image, index), changes).map(changed) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.constantFrom('['.repeat(50_000), '{"a":'.repeat(50_000), '', '\ufeff{}') },
  );

  it('is an image whose parts are sound, or a LayerpullError, after few requests', async () => {
    await soakProperty(
      fc.asyncProperty(fc.array(document, { minLength: 1, maxLength: 3 }), types, async (documents, type) => {
        const run = await resolveFrom((_, place) => reply(documents[place % documents.length] ?? '', type));
        expect(run.requests.length).toBeLessThan(40);
        if (run.image) expectSound(run.image);
      }),
      0.3,
    );
  });
});

/** The JSON of `base` with these changes made where they fit. */
function changed([base, changes]: [object, readonly (readonly [string, unknown])[]]): string {
  const copy = structuredClone(base) as Record<string, unknown>;
  for (const [place, value] of changes) {
    const names = place.split('.');
    const last = names.pop() ?? '';
    let parent: unknown = copy;
    for (const name of names) {
      parent = typeof parent === 'object' && parent !== null ? Reflect.get(parent, name) : undefined;
    }
    if (typeof parent === 'object' && parent !== null) Reflect.set(parent, last, structuredClone(value));
  }
  return JSON.stringify(copy);
}

function expectSound({ manifest, config, layers }: ResolvedImage): void {
  expect(digestOf(manifest.bytes)).toBe(manifest.descriptor.digest);
  for (const { digest, size } of [config, ...layers]) {
    expect(digest).toMatch(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/);
    expect(Number.isSafeInteger(size) && size >= 0).toBe(true);
  }
}

describe('whatever a registry asks for before it gives access', () => {
  const word = fc.constantFrom(
    ...[
      'Bearer',
      'bearer',
      'Basic',
      'Negotiate',
      'realm',
      'service',
      'scope',
      'error',
      '=',
      ',',
      ' ',
      '"',
      '\\',
    ],
    ...['"https://auth.test/token"', '"http://auth.test/token"', '"http://169.254.169.254/t"', '"file:///x"'],
    ...['"https://user:hunter2@auth.test/"', '"//auth.test"', '"registry.test"', '"a\\"b"', '""', '=='],
  );
  const challenge = fc.oneof(
    fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
    fc
      .array(word, { maxLength: 12 })
      .map((words) => `Bearer realm="https://auth.test/token",${words.join('')}`),
    fc.string({ maxLength: 200 }),
    fc.constantFrom('Bearer realm="'.repeat(800), '"\\'.repeat(5_000), `Bearer ${'a=b,'.repeat(3_000)}`),
  );
  const token = fc.oneof(
    fc.constantFrom('{"token":"t1"}', '{"access_token":"t2","expires_in":-5}', '{"token":""}', '{', '[]', ''),
    fc
      .record({ token: fc.oneof(fc.string(), fc.integer()), expires_in: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
    fc.json(),
  );
  const status = fc.constantFrom(200, 200, 200, 201, 302, 400, 401, 403, 404, 500);

  it('ends soon, and leads to no forbidden place, with a secret to none at all', async () => {
    await soakProperty(
      fc.asyncProperty(
        challenge,
        token,
        status,
        fc.boolean(),
        async (asked, given, tokenStatus, stubborn) => {
          const { requests } = await resolveFrom((request) => {
            if (request.url.hostname !== 'registry.test')
              return reply(given, 'application/json', tokenStatus);
            if (request.headers?.['authorization'] && !stubborn) return reply('{}', mediaTypes.ociManifest);
            return { status: 401, headers: { 'www-authenticate': asked } };
          });
          expect(requests.length).toBeLessThan(20);
          for (const request of requests) expectHarmless(request);
        },
      ),
      0.3,
    );
  });
});

function expectHarmless({ url, headers = {} }: HttpRequest): void {
  expect(url.protocol).toBe('https:');
  expect(isLinkLocal(url.hostname)).toBe(false);
  expect([url.username, url.password]).toEqual(['', '']);
  if (url.hostname !== 'registry.test') expect(headers['authorization']).toBeUndefined();
  for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
}
