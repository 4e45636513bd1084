import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { isLayerpullError } from '../../src/core/errors.ts';
import { toSessionId } from '../../src/core/ids.ts';
import type { HttpRequest } from '../../src/http/client.ts';
import { createRegistry } from '../../src/registry/client.ts';
import { parseReference } from '../../src/registry/reference.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { transferring } from '../../src/source/transfer.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { madeBytes } from '../support/fake-registry.ts';
import { createScriptedHttp, type ScriptedReply } from '../support/scripted-http.ts';
import { soakProperty } from '../support/soak.ts';
import { tempDir } from '../support/temp.ts';

const size = 5_000;
/** Pauses are over at once, so that a reply may ask for any. */
const clock = { ...systemClock, sleep: async () => {} };

/** How a reply differs from the honest one. */
const lie = fc.record({
  status: fc.constantFrom(
    200,
    200,
    206,
    206,
    206,
    204,
    301,
    307,
    400,
    401,
    403,
    404,
    410,
    416,
    429,
    500,
    503,
  ),
  range: fc.oneof(
    fc.constantFrom('right', 'right', 'right', 'none', 'bytes */5000', 'bytes 0-4999/5000', 'bytes 0-0/1'),
    fc
      .tuple(fc.integer({ min: -1, max: 5_001 }), fc.integer({ min: -1, max: 5_001 }), fc.nat(5_001))
      .map(([start, end, total]) => `bytes ${start}-${end}/${total}`),
    fc.string({ maxLength: 40 }),
  ),
  length: fc.oneof(
    fc.constantFrom('right', 'right', 'none', '0', '-1', '4999', '5001', '9'.repeat(30)),
    fc.string({ maxLength: 8 }),
  ),
  encoding: fc.constantFrom('none', 'none', 'none', 'none', 'identity', 'gzip', 'br', 'Identity', ''),
  bytes: fc.constantFrom('right', 'right', 'right', 'fromStart', 'wrong'),
  cutAfter: fc.option(fc.nat(5_000), { nil: undefined }),
  end: fc.constantFrom('end', 'end', 'break', 'endless'),
  chunkBytes: fc.constantFrom(1, 7, 512, 4_096, 65_536),
  location: fc.constantFrom(
    ...['/elsewhere', '//', 'http://169.254.1.1/', 'file:///etc/passwd', 'https://other.test/x', '', '::'],
  ),
  retryAfter: fc.option(fc.constantFrom('0', '5', '999999', 'x'), { nil: undefined }),
});

type Lie = typeof lie extends fc.Arbitrary<infer Value> ? Value : never;

/** What was read of all replies. */
interface Tally {
  bytes: number;
}

function replyOf(content: Buffer, told: Lie, request: HttpRequest, tally: Tally): ScriptedReply {
  const start = Number(/\d+/.exec(request.headers?.['range'] ?? '0')?.[0]);
  const right = content.subarray(start);
  const headers: Record<string, string> = { location: told.location, 'content-type': 'text/plain' };
  const range = told.range === 'right' ? `bytes ${start}-4999/5000` : told.range;
  if (range !== 'none') headers['content-range'] = range;
  const length = told.length === 'right' ? String(right.length) : told.length;
  if (length !== 'none') headers['content-length'] = length;
  if (told.encoding !== 'none') headers['content-encoding'] = told.encoding;
  if (told.retryAfter !== undefined) headers['retry-after'] = told.retryAfter;
  const wrong = Buffer.from(right.map((byte) => byte ^ 1));
  const bytes = { right, wrong, fromStart: content.subarray(0, right.length) }[told.bytes] ?? right;
  return { status: told.status, headers, body: bodyOf(told, bytes, tally) };
}

async function* bodyOf(told: Lie, bytes: Buffer, tally: Tally): AsyncGenerator<Uint8Array> {
  const all = bytes.subarray(0, told.cutAfter ?? bytes.length);
  for (let at = 0; at < all.length; at += told.chunkBytes) {
    const chunk = all.subarray(at, at + told.chunkBytes);
    tally.bytes += chunk.length;
    yield chunk;
  }
  if (told.end === 'break') throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  while (told.end === 'endless') {
    tally.bytes += 4_096;
    yield Buffer.alloc(4_096);
  }
}

const honest: Omit<Lie, 'status'> = {
  range: 'right',
  length: 'right',
  encoding: 'none',
  bytes: 'right',
  cutAfter: undefined,
  end: 'end',
  chunkBytes: 512,
  location: '',
  retryAfter: undefined,
};

/** Beside what a blob has, each reply may be read for an error message, 64 KiB at most, and one piece too far. */
const mostBytesPerReply = size + 2 * 65_536;

describe('whatever a registry answers to a request for a layer', () => {
  it('the store gets the right bytes, or the reader a LayerpullError, within bounds', async () => {
    const store = await openStore({ path: path.join(tempDir(), 'store'), clock: systemClock });
    let round = 0;
    const lies = fc.array(lie, { maxLength: 6 });
    await soakProperty(
      fc.asyncProperty(lies, fc.constantFrom(0, 0, 1, 2_500, 4_999), fc.boolean(), async (...run) => {
        round += 1;
        await pullFromLiar(store.blobs, madeBytes(`round ${round}`, size), ...run);
      }),
      0.6,
    );
  });
});

/** @param honestInTheEnd what comes after the last lie: the truth, or that lie again */
async function pullFromLiar(
  blobs: BlobStore,
  content: Buffer,
  lies: readonly Lie[],
  offset: number,
  honestInTheEnd: boolean,
): Promise<void> {
  const tally = { bytes: 0 };
  const http = createScriptedHttp((request, place) => {
    const truth = { ...honest, status: request.headers?.['range'] ? 206 : 200 } as Lie;
    const last = honestInTheEnd ? truth : (lies.at(-1) ?? truth);
    return replyOf(content, lies[place] ?? last, request, tally);
  });
  const registry = createRegistry({ userAgent: 'test', clock, http });
  const source = transferring(registry.blobs(parseReference('registry.test/app')), { clock });
  const error = await keep(blobs, content, source, offset);
  if (error !== undefined && !isLayerpullError(error)) throw error;
  expect(http.open()).toBe(0);
  expect(tally.bytes).toBeLessThanOrEqual(http.requests.length * mostBytesPerReply);
  await registry.close();
}

/** Stores as a pull does, with the bytes before `offset` there already; answers with what went wrong. */
async function keep(blobs: BlobStore, content: Buffer, source: BlobSource, offset: number): Promise<unknown> {
  const layer = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(content), size };
  const ingest = await blobs.ingest(layer, { session: toSessionId('fuzz') });
  let failure: unknown;
  try {
    await ingest.write(content.subarray(0, offset));
    for await (const chunk of source.open(layer, { offset, signal: new AbortController().signal })) {
      await ingest.write(chunk);
    }
    expect(ingest.written()).toBe(size);
    await ingest.commit();
  } catch (error) {
    failure = error;
  } finally {
    await ingest.close();
  }
  expect(await blobs.has(layer)).toBe(failure === undefined);
  if (failure === undefined) {
    const published: Uint8Array[] = [];
    for await (const piece of await blobs.open(layer.digest)) published.push(piece);
    expect(Buffer.concat(published).equals(content)).toBe(true);
  }
  return failure;
}
