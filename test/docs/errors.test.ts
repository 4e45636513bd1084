import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorTable, exitCodes } from '../../src/core/errors.ts';

const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

describe('docs/errors.md', () => {
  it('lists every error code with its exit code and retryability, in the order of the table', () => {
    const documented = [...text.matchAll(/^\| `(\w+)` \| (\d+) \| (yes|no) \| \S.* \|$/gm)].map(
      ([, code, exitCode, retryable]) => ({
        code,
        exitCode: Number(exitCode),
        retryable: retryable === 'yes',
      }),
    );
    expect(documented).toEqual(Object.entries(errorTable).map(([code, kind]) => ({ code, ...kind })));
  });

  it('lists every exit code', () => {
    const section = text.slice(text.indexOf('## Exit codes'), text.indexOf('## Codes'));
    const documented = [...section.matchAll(/^\| (\d+) \| \S.* \|$/gm)].map(([, exitCode]) =>
      Number(exitCode),
    );
    expect(documented).toEqual([0, ...Object.values(exitCodes)]);
  });
});
