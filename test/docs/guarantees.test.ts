import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inRoot } from '../support/root.ts';

interface Row {
  readonly promise: string;
  readonly file: string;
  readonly test: string;
}

const text = fs.readFileSync(inRoot('docs', 'guarantees.md'), 'utf8');
const tableLines = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| promise'));
const rows = tableLines.map((line): Row => {
  const match = /^\| (.+?) \| `([^`]+)`: (.+) \|$/.exec(line);
  const [, promise = line, file = '', test = ''] = match ?? [];
  return { promise, file, test };
});

/** Whether the file has a test of this name; the reporter has already shown that it passes. */
function hasTest({ file, test }: Row): boolean {
  const source = fs.existsSync(inRoot(file)) ? fs.readFileSync(inRoot(file), 'utf8') : '';
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${test}${quote}`));
}

describe('docs/guarantees.md', () => {
  it('names for each promise a test that exists', () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => !hasTest(row))).toEqual([]);
  });

  it('promises nothing twice', () => {
    const promises = rows.map(({ promise }) => promise);
    expect(promises.filter((promise, index) => promises.indexOf(promise) !== index)).toEqual([]);
  });
});
