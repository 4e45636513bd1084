import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { inRoot } from '../support/root.ts';

/** A test that a document names. */
export interface NamedTest {
  /** Path from the root of the project. */
  readonly file: string;
  readonly title: string;
}

/** The tests in the last cell of a row: `path/of/test.ts`: its name, and more of them after `<br>`. */
export function testsNamedIn(row: string): NamedTest[] {
  const [, cell = row] = /^\| .* \| (.+) \|$/.exec(row) ?? [];
  return cell.split('<br>').map((text) => {
    const [, file = '', title = text] = /^`([^`]+)`: (.+)$/.exec(text) ?? [];
    return { file, title };
  });
}

/** Titles by file: most files are named many times. */
const known = new Map<string, readonly string[]>();

/** Why a test that a document names is none; undefined for one that exists. */
export function whyNoTest({ file, title }: NamedTest): string | undefined {
  if (file === '') return `no test is named by ${JSON.stringify(title)}`;
  if (!existsSync(inRoot(file))) return `there is no file ${file}`;
  const titles = known.get(file) ?? titlesIn(readFileSync(inRoot(file), 'utf8'));
  known.set(file, titles);
  return titles.includes(title) ? undefined : `there is no test ${JSON.stringify(title)} in ${file}`;
}

const functions = new Set(['it', 'test', 'soak']);

/** The names of the tests in a source file, with the placeholders of those that are made from a table. */
export function titlesIn(source: string): string[] {
  const titles: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isCallExpression(node) && functions.has(rootOf(node.expression))) {
      const [title] = node.arguments;
      if (title && ts.isStringLiteralLike(title)) titles.push(title.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest));
  return titles;
}

/** `it` of `it`, `it.each` and `it.each([…])`. A test that never runs is none. */
function rootOf(callee: ts.Expression): string {
  if (ts.isIdentifier(callee)) return callee.text;
  if (ts.isCallExpression(callee)) return rootOf(callee.expression);
  if (!ts.isPropertyAccessExpression(callee)) return '';
  return ['each', 'runIf', 'concurrent'].includes(callee.name.text) ? rootOf(callee.expression) : '';
}
