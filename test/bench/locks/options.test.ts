import { describe, expect, test } from 'vitest';
import { benchNames, parseOptions } from '../../../bench/lib/locks/options.ts';

describe('the options of the bench of locks', () => {
  test('ask for everything by default', () => {
    expect(parseOptions([])).toMatchObject({
      only: benchNames,
      seconds: 10,
      clients: 32,
      waiters: undefined,
      servers: 3,
      members: 3,
    });
  });

  test('choose and size what is measured', () => {
    const options = parseOptions(['--only', 'pairs,status', '--clients', '8', '--waiters', '50']);
    expect(options).toMatchObject({ only: ['pairs', 'status'], clients: 8, waiters: 50 });
    expect(parseOptions(['--help'])).toBeUndefined();
  });

  test('are refused where they make no sense', () => {
    expect(() => parseOptions(['--only', 'pears'])).toThrow('"pears" is none of handoff, pairs');
    expect(() => parseOptions(['--seconds', '0'])).toThrow('not a number from 1');
  });
});
