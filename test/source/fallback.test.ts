import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { BlobSource, OpenBlob, SourceUse, Standing } from '../../src/source/blob-source.ts';
import { fallback } from '../../src/source/fallback.ts';
import { failure, inTurn, placesOf, scripted } from '../support/scripted-sources.ts';

const content = Buffer.from('0123456789');
const layer: Descriptor = { mediaType: 'x/y', digest: digestOf(content), size: content.length };
const { signal } = new AbortController();

async function collect(source: BlobSource, options: Partial<OpenBlob> = {}) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.open(layer, { signal, ...options })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function read(sources: readonly BlobSource[], options: Partial<OpenBlob> = {}) {
  const uses: SourceUse[] = [];
  const text = await collect(inTurn(sources), { onSource: (use) => uses.push(use), ...options });
  return { text, uses };
}

const unreachable = { bytes: 0, code: 'registry_unreachable' } as const;

describe('several sources', () => {
  it('are read in order, and the first that gives all ends it', async () => {
    const [a, b] = [scripted('a', content), scripted('b', content)];
    expect(await read([a, b])).toMatchObject({ text: '0123456789', uses: [{ url: 'http://a', offset: 0 }] });
    expect(b.offsets).toEqual([]);
  });

  it('go on from the byte that the one before reached, and say why it was left', async () => {
    const a = scripted('a', content, [{ bytes: 3, code: 'registry_failed' }]);
    const b = scripted('b', content, [{ bytes: 2, code: 'registry_stalled' }]);
    const { text, uses } = await read([a, b, scripted('c', content)]);
    expect(text).toBe('0123456789');
    expect(placesOf(uses)).toEqual(['a@0', 'b@3', 'c@5']);
    expect(uses.map(({ reason }) => reason)).toEqual([undefined, 'a registry_failed', 'b fell silent']);
  });

  it('begin at the byte that is wanted', async () => {
    const a = scripted('a', content, [unreachable]);
    const { text, uses } = await read([a, scripted('b', content)], { offset: 4 });
    expect([text, placesOf(uses)]).toEqual(['456789', ['a@4', 'b@4']]);
  });

  it('are asked for the rest only, when one failed behind the last byte', async () => {
    const late: BlobSource = {
      url: 'http://a',
      async *open() {
        yield content;
        throw failure('a', 'size_mismatch');
      },
    };
    const { text, uses } = await read([late, scripted('b', content)]);
    expect([text, placesOf(uses)]).toEqual(['0123456789', ['a@0', 'b@10']]);
  });

  it('leave one that rests for the end, unless it is all that is left', async () => {
    const [a, b] = [scripted('a', content), scripted('b', content, [{ bytes: 1, code: 'registry_failed' }])];
    const source = fallback({
      url: 'http://b',
      candidates: async () => [{ source: a, isResting: () => true }, { source: b }],
    });
    expect(await collect(source)).toBe('0123456789');
    expect([b.offsets, a.offsets]).toEqual([[0], [1]]);
  });

  it('tell what watches over each of them how it failed', async () => {
    const failures: string[] = [];
    const source = fallback({
      url: 'http://b',
      candidates: async () => [
        {
          source: scripted('a', content, [unreachable]),
          onFailure: ({ code }) => void failures.push(code),
        },
        { source: scripted('b', content) },
      ],
    });
    await collect(source);
    expect(failures).toEqual(['registry_unreachable']);
  });

  it('end with the reason of the signal, and ask nobody else', async () => {
    const abort = new AbortController();
    const b = scripted('b', content);
    const a: BlobSource = {
      url: 'http://a',
      async *open() {
        yield content.subarray(0, 1);
        abort.abort(new Error('interrupted'));
        throw failure('a', 'registry_failed');
      },
    };
    await expect(read([a, b], { signal: abort.signal })).rejects.toThrow('interrupted');
    expect(b.offsets).toEqual([]);
  });

  it('end at once with an error that is about no server', async () => {
    const wrong = new LayerpullError('usage', 'a certificate cannot be read');
    const a: BlobSource = {
      url: 'http://a',
      // biome-ignore lint/correctness/useYield: it fails before its first byte
      async *open() {
        throw wrong;
      },
    };
    await expect(read([a, scripted('b', content)])).rejects.toBe(wrong);
  });
});

describe('sources whose bytes were wrong before', () => {
  const judged = (standings: Record<string, Standing>) => (url: string) => standings[url] ?? { kind: 'good' };

  it('are not asked again, and are listed with that reason', async () => {
    const a = scripted('a', content);
    const b = scripted('b', content, [unreachable]);
    const standing = judged({ 'http://a': { kind: 'wrong', error: failure('a', 'digest_mismatch') } });
    await expect(read([a, b], { standing })).rejects.toMatchObject({
      code: 'registry_unreachable',
      message: `no server gave ${layer.digest}: a sends wrong content; b registry_unreachable`,
    });
    expect(a.offsets).toEqual([]);
  });

  it('come last when they are only doubtful', async () => {
    const a = scripted('a', content);
    const b = scripted('b', content, [unreachable]);
    const { uses } = await read([a, b], { standing: judged({ 'http://a': { kind: 'doubtful' } }) });
    expect(placesOf(uses)).toEqual(['b@0', 'a@0']);
  });

  it('are passed over where their bytes may not stand beside those that are there', async () => {
    const a = scripted('a', content);
    const { uses } = await read([a, scripted('b', content)], {
      offset: 5,
      standing: judged({ 'http://a': { kind: 'barred' } }),
    });
    expect(placesOf(uses)).toEqual(['b@5']);
  });

  it('leave a clear error when nobody may go on', async () => {
    const work = read([scripted('a', content)], { standing: () => ({ kind: 'barred' }) });
    await expect(work).rejects.toMatchObject({ code: 'registry_failed', retryable: true });
  });
});

describe('the error when all have failed', () => {
  const failing = (...codes: ConstructorParameters<typeof LayerpullError>[0][]) =>
    codes.map((code, index) => scripted('abcdef'.charAt(index), content, [{ bytes: 0, code }]));

  it('lists each server with its reason, in the order in which they were asked', async () => {
    const work = read(
      failing('registry_unreachable', 'rate_limited', 'blob_not_found', 'access_denied', 'registry_failed'),
    );
    await expect(work).rejects.toMatchObject({
      message:
        `no server gave ${layer.digest}: a registry_unreachable; b limits the rate of requests; ` +
        'c does not have it; d denies access; e registry_failed',
      hint: 'look at e',
    });
  });

  it.each([
    ['not found everywhere', ['blob_not_found', 'blob_not_found'], 'blob_not_found'],
    ['not found in the registry itself', ['registry_unreachable', 'blob_not_found'], 'blob_not_found'],
    ['a registry that is away', ['blob_not_found', 'registry_unreachable'], 'registry_unreachable'],
    [
      'a closed registry behind a mirror that is away',
      ['registry_failed', 'access_denied'],
      'registry_failed',
    ],
    ['a closed registry behind a mirror that lacks it', ['blob_not_found', 'access_denied'], 'access_denied'],
  ] as const)('has the code of what tells most: %s', async (_name, codes, expected) => {
    await expect(read(failing(...codes))).rejects.toMatchObject({ code: expected });
  });

  it('is the error of the server itself when there is only one', async () => {
    await expect(read(failing('access_denied'))).rejects.toMatchObject({
      message: 'cannot reach a: access_denied',
    });
  });

  it('stays short however many there are', async () => {
    const many = Array.from({ length: 300 }, (_, index) =>
      scripted(`mirror-${index}`, content, [{ bytes: 0, code: 'registry_failed' }]),
    );
    const error = await read(many).catch((thrown: unknown) => thrown as LayerpullError);
    expect((error as LayerpullError).message).toMatch(/; and 268 more$/);
  });
});
