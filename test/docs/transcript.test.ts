import { describe, expect, it } from 'vitest';
import { withoutPings } from './curl.ts';
import { fillIn, type Names, patternOf, putIn } from './placeholders.ts';
import { examplesIn } from './transcript.ts';

const fenced = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\`\n`;

describe('the examples of a document', () => {
  it('are its commands, each with the status and the answer that follow it', () => {
    const markdown = [
      '# Title\n',
      fenced('json', '{ "no": "example" }'),
      fenced('sh', 'curl /a \\\n  --get'),
      'Some words.\n\n200, as it should.\n',
      fenced('json', '{}'),
      fenced('sh', 'layerpull serve'),
      fenced('sh', 'curl --request DELETE /b'),
      '204\n',
      fenced('sh', 'curl /c'),
      '503:\n',
      fenced('text', 'a\nb'),
    ].join('\n');
    expect(examplesIn(markdown)).toEqual([
      { line: 8, command: 'curl /a \\\n  --get', status: 200, answer: { language: 'json', text: '{}' } },
      { line: 25, command: 'curl --request DELETE /b', status: 204 },
      { line: 31, command: 'curl /c', status: 503, answer: { language: 'text', text: 'a\nb' } },
    ]);
  });

  it('must tell their status', () => {
    const markdown = `${fenced('sh', 'curl /a')}\nin 200 words:\n\n${fenced('json', '{}')}`;
    expect(() => examplesIn(markdown)).toThrow('no status is told after the command in line 2');
  });
});

describe('an expected answer', () => {
  it('takes any value where it has an ellipsis, but not none', () => {
    const expected = { one: '…', list: [{ two: '…' }], three: 3 };
    const actual = { one: 1, list: [{ two: { a: 'b' } }], three: 3 };
    expect(fillIn(expected, actual, new Map())).toEqual(actual);
    expect(fillIn(expected, { list: [{}], three: 3 }, new Map())).toEqual({
      one: 'any value',
      list: [{ two: 'any value' }],
      three: 3,
    });
  });

  it('gives a name to what comes first, and wants the same from then on', () => {
    const names: Names = new Map();
    expect(fillIn({ token: 'TOKEN' }, { token: 7 }, names)).toEqual({ token: 7 });
    expect(fillIn({ token: 'TOKEN' }, { token: 7 }, names)).toEqual({ token: 7 });
    expect(fillIn({ token: 'TOKEN' }, { token: 8 }, names)).toEqual({ token: '7' });
    expect(putIn(names, 'curl --request PUT /TOKEN-A "token": TOKEN')).toBe(
      'curl --request PUT /TOKEN-A "token": 7',
    );
  });

  it('of text takes anything on the line of an ellipsis, and any lines for a line of it', () => {
    const pattern = patternOf('…\na{x="…"} 1\n…');
    for (const text of ['a{x="y"} 1\n', 'before\n\na{x=""} 1\nafter\n']) expect(text).toMatch(pattern);
    for (const text of ['a{x="y"} 2\n', 'ba{x="y"} 1\n', 'a{x="\n"} 1\n']) expect(text).not.toMatch(pattern);
  });
});

describe('a stream', () => {
  it('is compared without its signs of life', () => {
    const told =
      'retry: 1000\n\nid: 1\ndata: a\n\n: ping\n\nid: 2\nevent: ping\ndata: {}\n\nid: 3\ndata: b\n\n';
    expect(withoutPings(told)).toBe('retry: 1000\n\nid: 1\ndata: a\n\nid: 2\ndata: b\n');
  });
});
