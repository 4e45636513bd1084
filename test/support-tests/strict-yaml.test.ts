import { describe, expect, it } from 'vitest';
import { parseStrictYaml } from '../support/strict-yaml.ts';

describe('the strict reader of YAML', () => {
  it('reads mappings, sequences and scalars', () => {
    const text = [
      '# a comment',
      'kind: Service',
      'spec:',
      '  ports:',
      '    - name: http',
      '      port: 8080',
      '    - --addr=:8080',
      '  empty: {}',
      '  ready: true',
      '  text: "10"',
      '---',
      'kind: Other',
    ].join('\n');
    expect(parseStrictYaml(`${text}\n`)).toEqual([
      {
        kind: 'Service',
        spec: { ports: [{ name: 'http', port: 8080 }, '--addr=:8080'], empty: {}, ready: true, text: '10' },
      },
      { kind: 'Other' },
    ]);
  });

  it.each([
    ['a tab', 'a:\n\tb: 1'],
    ['a space at the end', 'a: 1 '],
    ['an indent of three', 'a:\n   b: 1'],
    ['a sequence that is not indented', 'a:\n- b'],
    ['a value that is missing', 'a:'],
    ['a key twice', 'a: 1\na: 2'],
    ['a line that belongs nowhere', 'a: 1\n  b: 2'],
    ['an item in a mapping', 'a: 1\n- b'],
    ['a word with two meanings', 'a: yes'],
    ['an octal number', 'mode: 0400'],
    ['an anchor', 'a: &b c'],
    ['a folded text', 'a: |\n  b'],
    ['a mapping within a text', 'a: b: c'],
    ['a comment after a value', 'a: b # c'],
    ['a text without a key', 'a'],
  ])('refuses %s', (_, text) => {
    expect(() => parseStrictYaml(text)).toThrow(/line \d|no value/);
  });
});
