import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createTextLog } from '../support/text-log.ts';

describe('a text log', () => {
  test('answers a wait with text that is there already, and with text that comes later', async () => {
    const stream = new PassThrough();
    const log = createTextLog(stream);
    const later = log.waitFor(/two (\d)/);
    stream.write('one 1\ntw');
    stream.write('o 2\nthr');
    expect((await later)[1]).toBe('2');
    expect((await log.waitFor(/one (\d)/))[1]).toBe('1');
    expect(log.lines()).toEqual(['one 1', 'two 2']);
  });

  test('fails a wait with what was said, when the stream ends without it', async () => {
    const stream = new PassThrough();
    const waiting = createTextLog(stream).waitFor(/never/);
    stream.end('something else');
    await expect(waiting).rejects.toThrow('something else');
  });

  test('keeps only the end of a long text, and characters cut between two pieces whole', async () => {
    const stream = new PassThrough();
    const log = createTextLog(stream, 5);
    const bytes = Buffer.from('123456789é');
    stream.write(bytes.subarray(0, -1));
    stream.end(bytes.subarray(-1));
    await log.waitFor(/é/);
    expect(log.text()).toBe('6789é');
  });
});
