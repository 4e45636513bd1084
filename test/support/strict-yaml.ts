/** What the files of examples may say; mappings keep the order of their keys. */
export type YamlValue = string | number | boolean | YamlValue[] | { [key: string]: YamlValue };

/**
 * Reads the plain part of YAML that every reader understands alike: block mappings and sequences, two spaces a level,
 * scalars on one line. No tabs, anchors, tags, folded texts, or words that one version takes for true and another for
 * text.
 *
 * @returns one value for each document
 * @throws an error that names the line
 */
export function parseStrictYaml(text: string): YamlValue[] {
  const lines = text.split('\n').flatMap(toLine);
  const documents: Line[][] = [[]];
  for (const line of lines) {
    if (line.text === '---') documents.push([]);
    else documents.at(-1)?.push(line);
  }
  return documents.filter((document) => document.length > 0).map(parseDocument);
}

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

/** Lines that are left; the first is the next. */
type Rest = Line[];

function toLine(raw: string, at: number): Line[] {
  const number = at + 1;
  if (/\t|\s$/.test(raw)) throw new Error(`line ${number}: a tab, or a space at the end`);
  const text = raw.trimStart();
  if (text === '' || text.startsWith('#')) return [];
  if (/\s#/.test(text)) throw new Error(`line ${number}: a comment after a value`);
  return [{ number, indent: raw.length - text.length, text }];
}

function parseDocument(lines: Line[]): YamlValue {
  const rest = [...lines];
  const value = parseBlock(rest, 0);
  const [left] = rest;
  if (left) throw wrong(left, 'not where it belongs');
  return value;
}

function parseBlock(rest: Rest, indent: number): YamlValue {
  const [first] = rest;
  if (first?.indent !== indent) throw first ? wrong(first, `not ${indent} spaces`) : new Error('no value');
  return isItem(first) ? parseSequence(rest, indent) : parseMapping(rest, indent);
}

function parseSequence(rest: Rest, indent: number): YamlValue[] {
  const items: YamlValue[] = [];
  for (let line = rest[0]; line?.indent === indent && isItem(line); line = rest[0]) {
    const text = line.text.slice(2);
    if (isEntry(text)) {
      rest[0] = { ...line, indent: indent + 2, text };
      items.push(parseMapping(rest, indent + 2));
    } else {
      rest.shift();
      items.push(parseScalar(line, text));
    }
  }
  return items;
}

function parseMapping(rest: Rest, indent: number): YamlValue {
  const entries = new Map<string, YamlValue>();
  for (let line = rest[0]; line?.indent === indent && !isItem(line); line = rest[0]) {
    const [, key = '', text = ''] = entryPattern.exec(line.text) ?? [];
    if (key === '') throw wrong(line, 'neither an item nor a key');
    if (entries.has(key)) throw wrong(line, 'a key for the second time');
    rest.shift();
    entries.set(key, text === '' ? parseBlock(rest, indent + 2) : parseScalar(line, text));
  }
  return Object.fromEntries(entries);
}

const entryPattern = /^([A-Za-z][\w./-]*):(?: (\S.*))?$/;

function isItem({ text }: Line): boolean {
  return text.startsWith('- ');
}

function isEntry(text: string): boolean {
  return entryPattern.test(text);
}

function parseScalar(line: Line, text: string): YamlValue {
  if (text === '{}') return {};
  if (text === '[]') return [];
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^(0|[1-9]\d*)$/.test(text)) return Number(text);
  if (/^"[^"\\]*"$/.test(text)) return text.slice(1, -1);
  if (/^(y|n|yes|no|on|off|null|~|true|false)$/i.test(text)) throw wrong(line, 'a word with two meanings');
  if (/^[-+.]?\d[\d_.:]*$/.test(text)) throw wrong(line, 'a number that needs quotes');
  if (/^[&*!|>%@`"'{}[\],?#]|^- |: |:$/.test(text)) throw wrong(line, 'a text that needs quotes');
  return text;
}

function wrong(line: Line, problem: string): Error {
  return new Error(`line ${line.number}: ${problem}: ${line.text}`);
}
