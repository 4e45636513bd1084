import { Args, Errors, Flags, Parser } from '@oclif/core';
import { describe, expect, it } from 'vitest';
import { closest } from '../../src/ui/suggest.ts';
import { toUsageError } from '../../src/ui/usage-error.ts';

const context = { help: 'layerpull pull --help', flags: ['--node', '--quiet'], commands: ['pull', 'serve'] };

async function parse(...argv: string[]): Promise<string> {
  const image = Args.string({ required: true, ignoreStdin: true });
  const flags = {
    node: Flags.string(),
    quiet: Flags.boolean(),
    count: Flags.integer({ max: 9 }),
    mode: Flags.string({ options: ['a', 'b'] }),
  };
  try {
    await Parser.parse(argv, { args: { image }, flags });
  } catch (error) {
    const usage = toUsageError(error, context);
    expect(usage?.code).toBe('usage');
    return `${usage?.message} (${usage?.hint})`;
  }
  throw new Error('the arguments were accepted');
}

describe('errors of the command line', () => {
  it.each([
    [[], 'missing IMAGE (see layerpull pull --help)'],
    [['a', 'b', 'c'], 'unexpected argument "b c" (see layerpull pull --help)'],
    [['a', '--nod', 'x'], 'unknown flag "--nod" (did you mean --node? See layerpull pull --help)'],
    [['a', '--wrong'], 'unknown flag "--wrong" (see layerpull pull --help)'],
    [['a', '--node'], '--node needs a value (see layerpull pull --help)'],
    [['a', '--mode', 'c'], '--mode: "c" is not known, choose one of a, b (see layerpull pull --help)'],
    [
      ['a', '--count', '10'],
      '--count: expected an integer less than or equal to 9 but received: 10 (see layerpull pull --help)',
    ],
    [['a', '--mode'], '--mode needs a value: one of a, b (see layerpull pull --help)'],
  ])('%j: %s', async (argv, expected) => {
    expect(await parse(...argv)).toBe(expected);
  });

  it('suggest a command', () => {
    const error = toUsageError(new Errors.CLIError('command pul not found'), context);
    expect(error).toMatchObject({ message: 'unknown command "pul"', hint: expect.stringContaining('pull?') });
  });

  it('are not made of other errors', () => {
    expect(toUsageError(new Error('disk full'), context)).toBeUndefined();
  });
});

describe('the nearest word', () => {
  it('is at most two edits away', () => {
    expect(closest('stats', ['status', 'serve', 'pull'])).toBe('status');
    expect(closest('push', ['status', 'serve', 'pull'])).toBe('pull');
    expect(closest('x', ['status', 'serve', 'pull'])).toBeUndefined();
    expect(closest('x'.repeat(100), ['x'.repeat(99)])).toBeUndefined();
  });
});
