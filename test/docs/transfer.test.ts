import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readTransfer } from '../../src/config/transfer.ts';
import { type ErrorCode, errorTable, LayerpullError } from '../../src/core/errors.ts';
import { maxRetryAfterMs } from '../../src/core/retry.ts';
import { transferFlags } from '../../src/flags/transfer.ts';
import { failureOf, pauses, retryTable } from '../../src/source/retry-table.ts';
import { machine } from '../support/config.ts';

const text = readFileSync(new URL('../../docs/transfer.md', import.meta.url), 'utf8');

describe('docs/transfer.md', () => {
  const rows = [...text.matchAll(/^\| `(\w+)` \| \S.* \| `(\w+)` \| (\d+) \| (\d+) \|$/gm)];

  it('has the retry table of the code, in its order', () => {
    const documented = rows.map(([, failure, , manifest, blob]) => [
      failure,
      { manifest: Number(manifest), blob: Number(blob) },
    ]);
    expect(documented).toEqual(Object.entries(retryTable));
  });

  it('names every error code that is tried again, and no other', () => {
    const tried = (Object.keys(errorTable) as ErrorCode[]).filter(
      (code) => failureOf(new LayerpullError(code, code)) !== undefined,
    );
    expect([...new Set(rows.map(([, , code]) => code))].sort()).toEqual(tried.sort());
  });

  it('tells of the pauses as they are', () => {
    expect(text).toContain(`a pause of ${pauses.delayMs / 2} to ${pauses.delayMs} ms`);
    expect(text).toContain(`up to ${pauses.maxDelayMs / 1_000} s`);
    expect(text).toContain(`is not asked earlier, up to ${maxRetryAfterMs / 1_000} s`);
    expect(pauses.factor).toBe(2);
  });

  it('names every flag, and the default of the stall timeout', () => {
    for (const flag of Object.keys(transferFlags)) expect(text).toContain(`--${flag}`);
    const { stallTimeoutMs } = readTransfer({}, machine);
    expect(text).toContain(`| \`--stall-timeout\` | ${stallTimeoutMs / 1_000}s |`);
  });
});
