/** What the names in capital letters, such as `TOKEN`, stand for so far. */
export type Names = Map<string, string>;

const name = /^[A-Z]{3,}(?:-[A-Z])?$/;

/** A command, or text, with the names in it replaced by what they stand for. */
export function putIn(names: Names, text: string): string {
  return text.replace(/[A-Z]{3,}(?:-[A-Z])?/g, (found) => names.get(found) ?? found);
}

/**
 * The answer that is expected, with placeholders replaced by what came: `"…"` stands for any one value, and a name that
 * is new stands from here on for the value at its place.
 */
export function fillIn(expected: unknown, actual: unknown, names: Names): unknown {
  if (expected === '…') return actual ?? 'any value';
  if (typeof expected === 'string') return fillInText(expected, actual, names);
  if (Array.isArray(expected)) {
    return expected.map((each, index) =>
      fillIn(each, Array.isArray(actual) ? actual[index] : undefined, names),
    );
  }
  if (typeof expected !== 'object' || expected === null) return expected;
  return Object.fromEntries(
    Object.entries(expected).map(([key, each]) => [key, fillIn(each, fieldOf(actual, key), names)]),
  );
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

/** A token is a number, so a name is compared by how it is written. */
function fillInText(expected: string, actual: unknown, names: Names): unknown {
  if (!name.test(expected)) return expected;
  const isValue = typeof actual === 'string' || typeof actual === 'number';
  if (!names.has(expected) && isValue) names.set(expected, String(actual));
  return names.get(expected) === String(actual) ? actual : (names.get(expected) ?? expected);
}

/** Text in which `…` stands for anything on its line, and a line of nothing else for any number of lines. */
export function patternOf(text: string): RegExp {
  const lines = text.split('\n').map((line) => (line === '…' ? '(?:.*\\n)*?' : `${patternOfLine(line)}\\n`));
  return new RegExp(`^${lines.join('')}$`);
}

function patternOfLine(line: string): string {
  return line.split('…').map(asPattern).join('.*');
}

function asPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
