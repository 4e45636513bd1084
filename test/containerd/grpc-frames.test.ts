import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frames, framed, joined } from '../../src/containerd/grpc/frames.ts';
import type { WriteRequest } from '../../src/containerd/proto/messages.ts';
import { contentService } from '../../src/containerd/proto/service-definition.ts';
import { readWrite } from '../../src/containerd/proto/write-message.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** Cuts at these places, modulo what there is. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, index) => whole.subarray(start, at[index] ?? whole.length));
}

function readAll(frames: Frames): Buffer[] {
  const messages: Buffer[] = [];
  for (let message = frames.next(); message; message = frames.next()) messages.push(joined(message));
  return messages;
}

describe('messages', () => {
  it('come out as they went in, however they are cut', () => {
    const places = fc.array(fc.nat(), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(bytes(300), { maxLength: 6 }), places, (messages, where) => {
        const frames = new Frames(300);
        const found = cut(Buffer.concat(messages.map(framed)), where).flatMap((piece) => {
          frames.add(piece);
          return readAll(frames);
        });
        expect(found).toEqual(messages);
        expect(frames.isEmpty).toBe(true);
      }),
    );
  });

  it('are refused where they are too large, before they are here', () => {
    const frames = new Frames(4);
    frames.add(framed(Buffer.alloc(5)).subarray(0, 5));
    expect(() => frames.next()).toThrow('a message of 5 bytes is larger than 4 bytes');
  });

  it('are refused where they are compressed', () => {
    const frames = new Frames(100);
    frames.add(Buffer.from([1, 0, 0, 0, 0]));
    expect(() => frames.next()).toThrow('compressed');
  });

  it('that are not whole are no messages', () => {
    const frames = new Frames(100);
    frames.add(framed(Buffer.from('abc')).subarray(0, 7));
    expect(frames.next()).toBeUndefined();
    expect(frames.isEmpty).toBe(false);
  });
});

describe('a message of Write', () => {
  const write = contentService()['Write'];
  const encode = (message: Partial<WriteRequest>): Buffer =>
    write?.requestSerialize(message) ?? Buffer.alloc(0);
  const decode = (message: Buffer): WriteRequest => write?.requestDeserialize(message);
  const large = Buffer.alloc(100_000, 'data');
  const message = {
    action: 'WRITE',
    ref: 'a-ref',
    total: 2 ** 40,
    offset: 7,
    labels: { key: 'value' },
  } as const;

  /** In pieces of this many bytes. */
  function read(whole: Buffer, pieceBytes: number) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < whole.length; at += pieceBytes) pieces.push(whole.subarray(at, at + pieceBytes));
    return readWrite(pieces, decode);
  }

  it.each([16_384, 99, 3, 1, 100_010, 1_000_000])('is read from pieces of %d bytes', (pieceBytes) => {
    const { data, ...rest } = read(encode({ ...message, data: large }), pieceBytes);
    expect(Buffer.concat(data).equals(large)).toBe(true);
    expect(data.every((piece) => piece.length > 0)).toBe(true);
    expect(rest).toEqual({ ...message, expected: '' });
  });

  it('has large data handed on where they lie', () => {
    const whole = encode({ ...message, data: large });
    const { data } = read(whole, 16_384);
    expect(data.every((piece) => piece.buffer === whole.buffer)).toBe(true);
  });

  it('may have no data', () => {
    expect(read(encode(message), 5)).toEqual({ ...message, expected: '', data: [] });
    expect(readWrite([], decode)).toMatchObject({ action: 'STAT', ref: '', data: [] });
  });

  it('with two data has the last', () => {
    const [one, two] = [encode({ data: large }), encode({ data: Buffer.alloc(70_000, 'more') })];
    for (const both of [Buffer.concat([one, two]), Buffer.concat([two, one])]) {
      const { data } = read(both, 16_384);
      expect(Buffer.concat(data).equals(decode(both).data)).toBe(true);
    }
  });

  it('that is cut is refused', () => {
    const whole = encode({ ...message, data: large });
    for (const end of [10, 50_000, whole.length - 1])
      expect(() => read(whole.subarray(0, end), 16_384)).toThrow(RangeError);
  });
});
