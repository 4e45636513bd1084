import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorTable, LayerpullError } from '../../src/core/errors.ts';
import { type ReportTarget, report, wantsJson } from '../../src/ui/error-report.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function reported(error: LayerpullError, options: Partial<ReportTarget> = {}) {
  let stdout = '';
  let stderr = '';
  const target = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    json: false,
    color: false,
    ...options,
  };
  report(error, target);
  return { stdout, stderr };
}

const error = new LayerpullError('registry_unreachable', 'cannot reach\nregistry', {
  hint: 'start it',
  cause: new Error('refused'),
});

describe('the report of an error', () => {
  it('is one line on stderr', () => {
    expect(reported(error)).toEqual({ stdout: '', stderr: 'layerpull: cannot reach registry (start it)\n' });
  });

  it.each(Object.keys(errorTable) as ErrorCode[])('is one document on stdout with --json: %s', (code) => {
    const { stdout, stderr } = reported(new LayerpullError(code, 'what failed'), { json: true });
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code,
        message: 'what failed',
        hint: null,
        origin: expect.any(String),
        ...errorTable[code],
      },
    });
    expect(stderr).toBe('layerpull: what failed\n');
  });

  it('says how long to wait where the server said so', () => {
    const limited = new LayerpullError('rate_limited', 'slower', { retryAfterMs: 7_000 });
    expect(JSON.parse(reported(limited, { json: true }).stdout).error.retryAfterMs).toBe(7_000);
  });

  it('is nothing where the reader of stdout went away: the exit code says it', () => {
    expect(reported(new LayerpullError('output_closed', 'gone'))).toEqual({ stdout: '', stderr: '' });
    const { stderr } = reported(new LayerpullError('output_closed', 'gone'), { events: createFakeClock(0) });
    expect(JSON.parse(stderr)).toMatchObject({ code: 'output_closed', exitCode: 141 });
  });

  it('is the last event where stderr carries events', () => {
    const { stderr } = reported(error, { events: createFakeClock(0) });
    expect(JSON.parse(stderr)).toMatchObject({ kind: 'error', code: 'registry_unreachable', exitCode: 5 });
  });

  it('has the stacks of all causes when asked for', () => {
    const { stderr } = reported(error, { stack: true });
    expect(stderr).toContain('error-report.test.ts');
    expect(stderr).toContain('caused by: Error: refused');
  });

  it('has colour only when asked for', () => {
    expect(reported(error, { color: true }).stderr).toContain('\u001b[31mlayerpull:');
  });
});

describe('--json before the arguments are parsed', () => {
  it('counts only before --', () => {
    expect(wantsJson(['pull', '--json'])).toBe(true);
    expect(wantsJson(['pull', '--', '--json'])).toBe(false);
    expect(wantsJson(['pull'])).toBe(false);
  });
});
