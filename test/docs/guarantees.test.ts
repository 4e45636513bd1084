import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inRoot } from '../support/root.ts';
import { testsNamedIn, titlesIn, whyNoTest } from './test-titles.ts';

function rowsOf(document: string): string[] {
  const lines = readFileSync(inRoot('docs', document), 'utf8').split('\n');
  return lines.filter((line, index) => line.startsWith('| ') && !lines[index + 1]?.startsWith('|---'));
}

describe.each([
  { document: 'guarantees.md', least: 80 },
  { document: 'bugs.md', least: 16 },
])('docs/$document', ({ document, least }) => {
  const rows = rowsOf(document);

  it('names in each row tests that exist', () => {
    const problems = rows.flatMap(testsNamedIn).map(whyNoTest);
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(least);
  });

  it('says nothing twice', () => {
    const told = rows.map((row) => row.split(' | ')[0]);
    expect(told.filter((what, index) => told.indexOf(what) !== index)).toEqual([]);
  });
});

describe('the names of the tests in a file', () => {
  it('are found with their placeholders, and without those of tests that never run', () => {
    const source = `
      it('one', () => { test(\`two\`, run); });
      it.each([1])('three, %i', run);
      soak('four', run);
      it.skip('five', run);
      it.runIf(true)('six', run);
      describe('seven', () => {});
      // it('eight')
      expect('nine');
    `;
    expect(titlesIn(source)).toEqual(['one', 'two', 'three, %i', 'four', 'six']);
  });

  it('are read from rows, of which none may name no test', () => {
    const [file, title] = ['test/docs/guarantees.test.ts', 'says nothing twice'];
    expect(testsNamedIn(`| a | b \`c\`: d | \`${file}\`: ${title}<br>\`${file}\`: none |`)).toEqual([
      { file, title },
      { file, title: 'none' },
    ]);
    expect(whyNoTest({ file, title })).toBeUndefined();
    expect(whyNoTest({ file, title: 'none' })).toBe(`there is no test "none" in ${file}`);
    expect(testsNamedIn('| a | words |').map(whyNoTest)).toEqual(['no test is named by "words"']);
  });
});
