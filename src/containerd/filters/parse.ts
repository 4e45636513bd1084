import { Refusal } from '../refusal.ts';
import { type Pattern, patternOf } from './pattern.ts';
import { Scanner } from './scan.ts';
import { unquote } from './unquote.ts';

/** Answers the value of a field, or undefined where there is none. */
export type Fields = (path: readonly string[]) => string | undefined;
export type Filter = (fields: Fields) => boolean;

/** Nobody writes longer ones. */
const maxFilterBytes = 16_384;
const maxFilters = 1_000;

/**
 * Filters as containerd's own parser reads them. Whatever fits one of them is wanted; all selectors of one must fit:
 *
 *     selectors := selector ("," selector)*
 *     selector  := fieldpath [("==" | "!=" | "~=") value]
 *     fieldpath := field ("." field)*
 *     field     := quoted | [A-Za-z0-9_-]+
 *     value     := quoted | whatever has no space and no comma
 *
 * A quoted text is one of Go's; after `~=`, a regular expression, it may also stand between `/` or `|`.
 *
 * @throws Refusal `invalidArgument`
 */
export function parseFilters(texts: readonly string[]): Filter {
  if (texts.length === 0) return () => true;
  if (texts.length > maxFilters) throw new Refusal('invalidArgument', `${texts.length} filters are too many`);
  const filters = texts.map(parseFilter);
  return (fields) => filters.some((filter) => filter(fields));
}

function parseFilter(text: string): Filter {
  if (text === '') return () => true;
  if (Buffer.byteLength(text) > maxFilterBytes)
    throw new Refusal('invalidArgument', 'the filter is too long');
  const scanner = new Scanner(text);
  const selectors = [selectorIn(scanner)];
  for (;;) {
    const { kind, text: found } = scanner.next();
    if (kind === 'end') break;
    if (kind !== 'separator' || found !== ',') throw scanner.wrong('expected a comma');
    selectors.push(selectorIn(scanner));
  }
  return (fields) => selectors.every((selector) => selector(fields));
}

function selectorIn(scanner: Scanner): Filter {
  const path = [fieldIn(scanner)];
  while (scanner.peek() === '.') {
    scanner.next();
    path.push(fieldIn(scanner));
  }
  if (scanner.peek() === '' || scanner.peek() === ',') return (fields) => fields(path) !== undefined;
  const { kind, text: operator } = scanner.next();
  if (kind !== 'operator') throw scanner.wrong('expected an operator ("==", "!=" or "~=")');
  return comparing(path, operator, scanner);
}

function comparing(path: readonly string[], operator: string, scanner: Scanner): Filter {
  switch (operator) {
    case '==': {
      const wanted = valueIn(scanner, false);
      return (fields) => fields(path) === wanted;
    }
    case '!=': {
      const unwanted = valueIn(scanner, false);
      return (fields) => (fields(path) ?? '') !== unwanted;
    }
    case '~=': {
      const pattern: Pattern = patternOf(valueIn(scanner, true));
      return (fields) => pattern(fields(path) ?? '');
    }
    default:
      throw scanner.wrong(`unsupported operator ${JSON.stringify(operator)}`);
  }
}

function fieldIn(scanner: Scanner): string {
  const { kind, text } = scanner.next();
  if (kind === 'field') return text;
  if (kind === 'quoted') return unquoted(scanner, text, false);
  throw scanner.wrong('expected a field or a quoted text');
}

function valueIn(scanner: Scanner, isPattern: boolean): string {
  const { kind, text } = scanner.nextValue();
  if (kind === 'value') return text;
  if (kind === 'quoted') return unquoted(scanner, text, isPattern);
  throw scanner.wrong('expected a value or a quoted text');
}

function unquoted(scanner: Scanner, text: string, isPattern: boolean): string {
  if (!isPattern && !text.startsWith('"'))
    throw scanner.wrong('only regular expressions stand between / or |');
  const result = unquote(text);
  if (result === undefined) throw scanner.wrong('the quoted text cannot be read');
  return result;
}
