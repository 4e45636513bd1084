import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { exitCodeOf, fromError, ok, problem, warning } from '../../src/doctor/finding.ts';
import { checkClock, checkNode } from '../../src/doctor/machine.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { inRoot } from '../support/root.ts';

const { engines } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));

describe('the doctor of a machine', () => {
  it.each(['20.19.0', '20.20.2', '22.0.0', '24.1.0-nightly'])('is content with Node %s', (version) => {
    expect(checkNode(version).verdict).toBe('ok');
  });

  it.each(['20.18.9', '18.20.0', '20.0.0', '0'])('is not with Node %s', (version) => {
    expect(checkNode(version)).toMatchObject({ verdict: 'problem', hint: 'install a newer Node' });
    expect(checkNode(version).message).toBe(`Node ${version} is older than ${engines.node.slice(2)}`);
  });

  it('notices a clock that never was set', () => {
    const clock = createFakeClock();
    const at = (wallMs: number) => checkClock({ ...clock, wallNow: () => wallMs });
    expect(at(Date.UTC(2026, 6, 1, 12))).toMatchObject({ verdict: 'ok', message: '2026-07-01T12:00:00Z' });
    expect(at(86_400_000)).toMatchObject({
      verdict: 'problem',
      message: expect.stringContaining('1970-01-02'),
    });
  });
});

describe('the exit code of a doctor', () => {
  const locks = fromError('lock server', new LayerpullError('lock_unreachable', 'gone'));
  const store = fromError('store', new LayerpullError('store_full', 'full', { hint: 'free space' }));

  it('is 0 where nothing is a problem', () => {
    expect(exitCodeOf([])).toBe(0);
    expect(exitCodeOf([ok('a', 'b'), warning('c', 'd')])).toBe(0);
  });

  it('is that of the first problem', () => {
    expect(exitCodeOf([warning('a', 'b'), locks, store])).toBe(7);
    expect(exitCodeOf([ok('a', 'b'), store, locks])).toBe(8);
  });

  it('is 1 for what no other command ends with, and for what nobody foresaw', () => {
    expect(exitCodeOf([problem('containerd', 'wrong')])).toBe(1);
    expect(exitCodeOf([fromError('x', new Error('odd'))])).toBe(1);
    expect(fromError('x', new Error('odd'))).toMatchObject({
      verdict: 'problem',
      message: 'odd',
      code: 'unexpected',
    });
  });

  it('comes with what the error says', () => {
    expect(store).toEqual({
      check: 'store',
      verdict: 'problem',
      message: 'full',
      hint: 'free space',
      code: 'store_full',
    });
  });
});
