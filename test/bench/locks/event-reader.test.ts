import { expect, test } from 'vitest';
import { createEventReader, type StreamEvent } from '../../../bench/lib/locks/event-reader.ts';

test('events are read from a stream however it is cut', () => {
  const text =
    'retry: 1000\n\nid: 1\nevent: granted\ndata: {"token":7}\n\n: ping\n\ndata: plain\n\nevent: half';
  const expected = [
    { name: 'granted', data: '{"token":7}' },
    { name: 'message', data: 'plain' },
  ];
  for (const length of [1, 7, text.length]) {
    const events: StreamEvent[] = [];
    const read = createEventReader((event) => events.push(event));
    for (let at = 0; at < text.length; at += length) read(text.slice(at, at + length));
    expect(events).toEqual(expected);
  }
});
