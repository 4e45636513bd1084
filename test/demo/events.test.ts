import { expect, test } from 'vitest';
import { parseEventLine } from '../../src/demo/events.ts';
import { progressLine } from '../../src/ui/progress-json.ts';
import { pullEvents } from '../support/pull-events.ts';

// The demo writes no image elsewhere.
const { done, exporting, ...shown } = pullEvents;

test.each(Object.values(shown).map((event) => [event.kind, event] as const))(
  'a line of kind %s is that event again',
  (_kind, event) => {
    expect(parseEventLine(JSON.stringify(progressLine(event, 0)))).toEqual(event);
  },
);

test('fields that are not known are left out', () => {
  const line = { ...progressLine(shown.progress, 0), colour: 'blue' };
  expect(parseEventLine(JSON.stringify(line))).toEqual(shown.progress);
});

test.each([
  JSON.stringify(progressLine(done, 0)),
  JSON.stringify(progressLine(exporting, 0)),
  '{"kind":"error","code":"access_denied","message":"no"}',
  '{"kind":"progress","digest":"sha256:short","offset":1,"size":2}',
  '{"kind":"resolved","platform":"nonsense"}',
  '{"level":30,"msg":"a log line"}',
])('%s is another object', (line) => {
  expect(parseEventLine(line)).toBe('other');
});

test.each(['', 'layerpull: no such image', '{ broken', '"text"'])('"%s" is a line for people', (line) => {
  expect(parseEventLine(line)).toBeUndefined();
});
