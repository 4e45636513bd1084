import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { isLayerpullError } from '../../src/core/errors.ts';
import { expectImage, parseManifest } from '../../src/registry/manifest.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const config = { mediaType: mediaTypes.ociConfig, digest: digest('c'), size: 10 };
const layer = { mediaType: mediaTypes.ociLayerGzip, digest: digest('1'), size: 100 };
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const entry = { mediaType: mediaTypes.ociManifest, digest: digest('2'), size: 200 };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] };

function parse(value: unknown, contentType?: string) {
  return parseManifest(Buffer.from(JSON.stringify(value)), contentType, 'x/y:z');
}

function failure(value: unknown, contentType?: string) {
  try {
    expectImage(parse(value, contentType), 'x/y:z');
  } catch (error) {
    if (isLayerpullError(error)) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a manifest', () => {
  it('gives its config and layers, a layer listed twice as often as it stands there', () => {
    const parsed = parse(
      { ...manifest, layers: [layer, layer], annotations: { a: 'b' } },
      mediaTypes.ociManifest,
    );
    expect(parsed).toEqual({
      kind: 'image',
      mediaType: mediaTypes.ociManifest,
      config,
      layers: [layer, layer],
      embedded: new Map(),
    });
  });

  it.each([
    undefined,
    'application/json',
    'application/octet-stream',
    'text/plain; charset=utf-8',
    'x/unknown',
  ])('may be sent as %s', (contentType) =>
    expect(parse(manifest, contentType)).toMatchObject({ kind: 'image' }),
  );

  it('takes its type from the response when it names none, and from its fields when nobody does', () => {
    const { mediaType: _, ...unnamed } = manifest;
    expect(parse(unnamed, `${mediaTypes.dockerManifest}; charset=utf-8`).mediaType).toBe(
      mediaTypes.dockerManifest,
    );
    expect(parse(unnamed).mediaType).toBe(mediaTypes.ociManifest);
    expect(parse({ schemaVersion: 2, manifests: [entry] }).mediaType).toBe(mediaTypes.ociIndex);
  });

  it('of old Docker builders may call its config a stream of bytes', () => {
    const old = { ...manifest, mediaType: mediaTypes.dockerManifest };
    const bytes = { ...config, mediaType: 'application/octet-stream' };
    expect(parse({ ...old, config: bytes })).toMatchObject({ kind: 'image' });
    expect(failure({ ...manifest, config: bytes }).code).toBe('unsupported_manifest');
  });

  it.each([
    ['another type than it was sent as', manifest, mediaTypes.ociIndex, 'calls itself'],
    ['another schemaVersion', { ...manifest, schemaVersion: 3 }, undefined, 'schemaVersion is 3'],
    ['no schemaVersion', { config, layers: [layer] }, undefined, 'schemaVersion'],
    ['both a manifest and an index', { ...manifest, manifests: [entry] }, undefined, 'does not belong'],
    ['both an index and a manifest', { ...index, layers: [layer] }, undefined, 'does not belong'],
    ['a list', [manifest], undefined, 'is not'],
    ['null', null, undefined, 'is not an object'],
    ['no layers field', { ...manifest, layers: undefined }, undefined, 'layers'],
    [
      'a negative size',
      { ...manifest, layers: [{ ...layer, size: -1 }] },
      undefined,
      'layers.0.size is negative',
    ],
    ['a broken size', { ...manifest, layers: [{ ...layer, size: 1.5 }] }, undefined, 'not a whole number'],
    ['a huge size', { ...manifest, layers: [{ ...layer, size: 2 ** 53 }] }, undefined, 'not a whole number'],
    ['a size in words', { ...manifest, layers: [{ ...layer, size: '1' }] }, undefined, 'is not a number'],
    [
      'a wrong digest',
      { ...manifest, config: { ...config, digest: 'sha256:../../x' } },
      undefined,
      'config.digest',
    ],
    [
      'a type with a line break',
      { ...manifest, layers: [{ ...layer, mediaType: 'a/b\nc' }] },
      undefined,
      'media type',
    ],
    [
      'two sizes of one digest',
      { ...manifest, layers: [layer, { ...layer, size: 1 }] },
      undefined,
      'two sizes',
    ],
    ['1,001 layers', { ...manifest, layers: Array(1_001).fill(layer) }, undefined, 'at most 1000'],
    ['a web page', manifest, 'text/html', 'web page'],
  ])('with %s is invalid', (_, value, contentType, problem) => {
    const error = failure(value, contentType);
    expect(error.code).toBe('invalid_manifest');
    expect(error.message).toContain(problem);
  });

  it('may have 1,000 layers', () => {
    expect(parse({ ...manifest, layers: Array(1_000).fill(layer) })).toMatchObject({ kind: 'image' });
  });

  it.each([
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, mediaTypes.dockerSchema1Signed, 'schema 1'],
    ['schema 1 without a type', { schemaVersion: 1, fsLayers: [] }, undefined, 'schema 1'],
    [
      'an artifact with an empty config',
      {
        ...manifest,
        artifactType: 'application/vnd.acme.sbom',
        config: { ...config, mediaType: 'application/vnd.oci.empty.v1+json' },
      },
      undefined,
      'artifact of type application/vnd.acme.sbom',
    ],
    [
      'a chart',
      { ...manifest, config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } },
      undefined,
      'artifact of type application/vnd.cncf.helm.config.v1+json',
    ],
    ['another type', { ...manifest, mediaType: 'application/x' }, undefined, 'is of type application/x'],
  ])('that is %s is not supported, and says so', (_, value, contentType, problem) => {
    const error = failure(value, contentType);
    expect(error.code).toBe('unsupported_manifest');
    expect(error.message).toContain(problem);
    expect(error.hint).toBeTruthy();
  });

  it.each(['', 'not json', '{', '\ufeff', '\u0000'])('is not %j', (text) => {
    expect(() => parseManifest(Buffer.from(text), undefined, 'x')).toThrow(/not valid: it is not JSON/);
  });

  it('has no byte order mark, which who reads the stored one would stumble over', () => {
    const text = `\ufeff${JSON.stringify(manifest)}`;
    expect(() => parseManifest(Buffer.from(text), undefined, 'x')).toThrow(/not valid: it is not JSON/);
  });

  it('of no layers may say so with null, as tools written in Go do', () => {
    expect(parse({ ...manifest, layers: null })).toMatchObject({ kind: 'image', layers: [] });
  });

  it('is UTF-8', () => {
    expect(() => parseManifest(Buffer.from([0x22, 0xff, 0x22]), undefined, 'x')).toThrow(/not JSON/);
  });
});

describe('an index', () => {
  it('gives its entries with their platforms', () => {
    const platform = { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.version': '1' };
    const parsed = parse({
      ...index,
      manifests: [
        { ...entry, platform },
        { ...entry, platform: null },
      ],
    });
    expect(parsed).toEqual({
      kind: 'index',
      mediaType: mediaTypes.ociIndex,
      entries: [{ ...entry, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }, entry],
      embedded: new Map(),
    });
  });
});

describe('an index that names a platform with characters for the terminal', () => {
  it.each(['q\u001b[31m', 'a\nb', 'a\u202eb', 'a\u009bb'])('is invalid: %j', (architecture) => {
    const error = failure({ ...index, manifests: [{ ...entry, platform: { os: 'linux', architecture } }] });
    expect(error.code).toBe('invalid_manifest');
    expect(error.message).toContain('platform.architecture has characters');
  });
});

describe('any JSON', () => {
  const leaf = fc.oneof(
    fc.constantFrom(2, 1, -1, 1e300, null, '', '__proto__', digest('a'), ...Object.values(mediaTypes)),
    fc.string(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie('tree'), { maxLength: 3 }), tie('object')),
    object: fc.dictionary(
      fc.constantFrom(
        'schemaVersion',
        'mediaType',
        'config',
        'layers',
        'manifests',
        'digest',
        'size',
        'platform',
        '__proto__',
      ),
      tie('tree'),
    ),
  }));

  it('is a manifest or gets a LayerpullError of one line', () => {
    const near = tree.map((value) =>
      Object(value) === value ? { schemaVersion: 2, ...Object(value) } : value,
    );
    fc.assert(
      fc.property(near, fc.option(leaf.map(String), { nil: undefined }), (value, contentType) => {
        try {
          parse(value, contentType);
        } catch (error) {
          expect(isLayerpullError(error)).toBe(true);
          expect(String(error)).not.toMatch(/[\n\r]/);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
