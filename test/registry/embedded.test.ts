import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { type DigestAlgorithm, digestOf, isDigest } from '../../src/core/digest.ts';
import { isLayerpullError } from '../../src/core/errors.ts';
import { parseManifest } from '../../src/registry/manifest.ts';

const config = { mediaType: mediaTypes.ociConfig, digest: `sha256:${'c'.repeat(64)}`, size: 10 };

function manifestWith(layer: object): Buffer {
  const value = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
  return Buffer.from(JSON.stringify(value));
}

function embedding(bytes: Uint8Array, changes: object = {}, algorithm: DigestAlgorithm = 'sha256') {
  const data = Buffer.from(bytes).toString('base64');
  return {
    mediaType: 'text/plain',
    digest: digestOf(bytes, algorithm),
    size: bytes.length,
    data,
    ...changes,
  };
}

const parse = (layer: object) => parseManifest(manifestWith(layer), undefined, 'x/y:z');

describe('data in a descriptor', () => {
  it.each(['sha256', 'sha512'] as const)('is the content, verified by %s', (algorithm) => {
    const bytes = Buffer.from('{}');
    const { embedded, kind } = parse(embedding(bytes, {}, algorithm));
    expect(kind).toBe('image');
    expect([...embedded]).toEqual([[digestOf(bytes, algorithm), bytes]]);
  });

  it('does not stay in the descriptor', () => {
    const parsed = parse(embedding(Buffer.from('abc')));
    expect(parsed).toMatchObject({ layers: [expect.not.objectContaining({ data: expect.anything() })] });
  });

  it.each([undefined, null, ''])('may be absent: %j', (data) => {
    expect(parse(embedding(Buffer.from('abc'), { data })).embedded.size).toBe(0);
  });

  it.each([
    ['other bytes', { data: Buffer.from('abd').toString('base64') }],
    ['fewer bytes', { data: Buffer.from('ab').toString('base64') }],
    ['another size', { size: 4 }],
    ['no base64', { data: 'YW Jj' }],
    ['base64 for addresses', { data: '_-__' }],
    ['base64 without its end', { data: 'YWI' }],
    ['something behind its end', { data: 'YWJj====' }],
    ['a number', { data: 7 }],
  ])('with %s makes the manifest invalid', (_, changes) => {
    const attempt = () => parse(embedding(Buffer.from('abc'), changes));
    expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_manifest' }));
  });

  it('comes through as it is, or is refused when one bit of it is another', () => {
    const content = fc.uint8Array({ minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(content, fc.nat(), (bytes, bit) => {
        const { embedded } = parse(embedding(bytes));
        expect([...embedded.values()].map((one) => Buffer.from(one))).toEqual([Buffer.from(bytes)]);
        const turned = Uint8Array.from(bytes);
        const place = bit % bytes.length;
        turned[place] = (turned[place] ?? 0) ^ (1 << (bit % 8));
        const data = Buffer.from(turned).toString('base64');
        expect(() => parse(embedding(bytes, { data }))).toThrow(/embedded/);
      }),
    );
  });
});

describe('a digest in a manifest', () => {
  const hex = 'a'.repeat(64);
  it.each([
    'sha256:../../../../etc/passwd',
    `sha256:${'../'.repeat(21)}x`,
    `sha256:${hex.toUpperCase()}`,
    `SHA256:${hex}`,
    `sha256:${hex}0`,
    `sha256:${hex.slice(1)}`,
    `sha512:${hex}`,
    `sha256:${hex}${hex}`,
    `sha256:${hex}\n`,
    `sha256:${hex}\u0000`,
    ` sha256:${hex}`,
    `sha384:${hex}${'a'.repeat(32)}`,
    `md5:${'a'.repeat(32)}`,
    `sha256/${hex}`,
    `sha256+b64:${hex}`,
    hex,
    '',
    null,
    [`sha256:${hex}`],
  ])('like %j is refused', (digest) => {
    const attempt = () => parse({ mediaType: 'text/plain', digest, size: 1 });
    expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_manifest' }));
  });

  it('never holds anything but an algorithm and its number of digits', () => {
    const part = fc.constantFrom(
      'sha256:',
      'sha512:',
      '../',
      '/',
      '\\',
      '%2e',
      hex,
      'A',
      '0',
      ':',
      '\n',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const digest = parts.join('');
        try {
          parse({ mediaType: 'text/plain', digest, size: 1 });
        } catch (error) {
          expect(isLayerpullError(error)).toBe(true);
          return;
        }
        expect(isDigest(digest) && /^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(digest)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
