import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { errorEvent } from '../../src/ui/error-report.ts';
import { progressLine } from '../../src/ui/progress-json.ts';
import { pullEvents } from '../support/pull-events.ts';

const text = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');

describe('docs/events.md', () => {
  const documented = new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf('\n')), fieldsOf(section)]),
  );
  const error = new LayerpullError('usage', 'wrong', { hint: 'right' });
  const lines: object[] = [
    ...Object.values(pullEvents).map((event) => progressLine(event, 0)),
    errorEvent(error, 0),
  ];

  it('has one section for each kind of event, and no other', () => {
    expect([...documented.keys()].sort()).toEqual([...Object.keys(pullEvents), 'error'].sort());
  });

  it.each(lines.map((line) => [(line as { kind: string }).kind, line]))(
    'lists the fields of %s',
    (kind, line) => {
      const { time, kind: _, ...fields } = line as Record<string, unknown>;
      expect(time).toBe('1970-01-01T00:00:00.000Z');
      expect(documented.get(kind as string)?.sort()).toEqual(Object.keys(fields).sort());
    },
  );
});

function fieldsOf(section: string): string[] {
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field ?? '');
}
