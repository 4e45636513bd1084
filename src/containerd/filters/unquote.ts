const simple: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/** `\101`, `\x41`, `\u0041` and `\U00000041`: letter, digits, base. */
const numeric = /^(?:([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/;

/**
 * The text between two quotes, its escapes resolved as Go does. Undefined for an escape that there is not.
 *
 * @param quoted with its quotes
 */
export function unquote(quoted: string): string | undefined {
  const mark = quoted.slice(0, 1);
  const inner = quoted.slice(1, -1);
  let result = '';
  for (let position = 0; position < inner.length; ) {
    const backslash = inner.indexOf('\\', position);
    if (backslash < 0) return result + inner.slice(position);
    const found = readEscape(inner.slice(backslash + 1, backslash + 10), mark);
    if (!found) return undefined;
    result += inner.slice(position, backslash) + found.text;
    position = backslash + 1 + found.length;
  }
  return result;
}

function readEscape(rest: string, mark: string): { text: string; length: number } | undefined {
  const letter = rest.slice(0, 1);
  const text = letter === mark ? mark : simple[letter];
  if (text !== undefined) return { text, length: 1 };
  const [whole, octal, ...hex] = numeric.exec(rest) ?? [];
  if (whole === undefined) return undefined;
  const code = octal ? Number.parseInt(octal, 8) : Number.parseInt(hex.find((one) => one) ?? '', 16);
  const isCharacter = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? { text: String.fromCodePoint(code), length: whole.length } : undefined;
}
