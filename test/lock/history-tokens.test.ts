import { describe, expect, it } from 'vitest';
import { checkTokens } from '../support/history/tokens.ts';
import { acquire, granted, type Line, queued, told, written } from '../support/history/written.ts';

const resource = (name: string, lines: readonly Line[]) => ({ ...written(lines), name });

describe('the tokens of several resources', () => {
  it('may come in any order while the requests are under way together', () => {
    const one = resource('one', [acquire('a', [10, 30], granted(2))]);
    const other = resource('other', [acquire('b', [20, 25], granted(1))]);
    expect(checkTokens([one, other])).toEqual([]);
  });

  it('may be told again, by an answer or by an event', () => {
    const lines = [
      acquire('a', [10, 11], granted(1)),
      acquire('a', [40, 41], granted(1)),
      told('a', [5, 50], { kind: 'granted', type: 'pull', token: 1 }),
    ];
    expect(checkTokens([resource('one', lines)])).toEqual([]);
  });

  it('may be older than what was told before they were asked for again', () => {
    const one = resource('one', [acquire('a', [10, 11], queued(1, 'x')), acquire('a', [60, 61], granted(1))]);
    const other = resource('other', [acquire('b', [20, 25], granted(2))]);
    expect(checkTokens([one, other])).toEqual([]);
  });

  it('are never given to two', () => {
    const one = resource('one', [acquire('a', [10, 30], granted(7))]);
    const other = resource('other', [acquire('b', [20, 25], granted(7))]);
    expect(checkTokens([one, other])).toEqual(['token 7 went to session a on one and to session b on other']);
  });

  it('never fall', () => {
    const one = resource('one', [acquire('a', [10, 11], granted(7))]);
    const other = resource('other', [acquire('b', [20, 25], granted(6))]);
    expect(checkTokens([other, one])).toEqual([
      'token 6 of session b on other was granted after token 7 of session a on one',
    ]);
  });
});
