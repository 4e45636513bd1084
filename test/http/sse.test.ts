import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventStreamOptions, ServerSentEvent } from '../../src/http/sse.ts';
import { readEvents } from '../../src/http/sse.ts';

async function* pieces(parts: readonly Uint8Array[]) {
  yield* parts;
}

async function read(parts: readonly Uint8Array[], options?: EventStreamOptions): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of readEvents(pieces(parts), options)) events.push(event);
  return events;
}

const bytes = (text: string) => new TextEncoder().encode(text);

function cut(whole: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [...ends, whole.length].map((end, index) => whole.subarray(ends[index - 1] ?? 0, end));
}

describe('readEvents', () => {
  it('gives named, numbered and unnamed events, and no comments', async () => {
    const stream = 'retry: 1000\n\n: ping\n\nid: 7\nevent: granted\ndata: {"a":1}\n\ndata: x\ndata: y\n\n';
    expect(await read([bytes(stream)])).toEqual([
      { id: '7', event: 'granted', data: '{"a":1}' },
      { id: undefined, event: undefined, data: 'x\ny' },
    ]);
  });

  it('gives the same events however the bytes are cut, through characters too', async () => {
    const whole = bytes(
      'event: a\r\ndata: größe 層\r\n\r\n: c\n\nid: 2\ndata: 🐳\n\nevent: b\ndata: 1\ndata: 2\n\n',
    );
    const expected = await read([whole]);
    expect(expected).toHaveLength(3);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { maxLength: 30 }), async (places) => {
        expect(await read(cut(whole, places))).toEqual(expected);
      }),
    );
  });

  it('drops an event that the end of the stream cuts short', async () => {
    expect(await read([bytes('data: 1\n\ndata: 2\n')])).toMatchObject([{ data: '1' }]);
  });

  it('refuses an event that is longer than allowed, in one line or in many', async () => {
    const options = { maxEventLength: 100 };
    await expect(read([bytes(`data: ${'x'.repeat(200)}`)], options)).rejects.toThrow('longer than 100');
    const lines = Array.from({ length: 50 }, () => bytes('data: xxxxx\n'));
    await expect(read(lines, options)).rejects.toThrow('longer than 100');
  });

  it('tells how long the server asks to wait, when it is a number', async () => {
    const asked: number[] = [];
    const text = 'retry: 1500\n\nretry: soon\n\ndata: 1\n\n';
    await read([bytes(text)], { onRetry: (ms) => asked.push(ms) });
    expect(asked).toEqual([1_500]);
  });

  it('hands on what the body throws, after the events before it', async () => {
    const seen: string[] = [];
    const body = (async function* () {
      yield bytes('data: 1\n\n');
      throw new Error('broken');
    })();
    const all = async () => {
      for await (const event of readEvents(body)) seen.push(event.data);
    };
    await expect(all()).rejects.toThrow('broken');
    expect(seen).toEqual(['1']);
  });
});
