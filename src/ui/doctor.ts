import type { Finding } from '../doctor/finding.ts';
import { createPalette } from './color.ts';
import { oneLine } from './text.ts';

const words = { ok: 'ok', warning: 'warn', problem: 'fail' } as const;

/** A line for each finding, and below it what to do. */
export function renderFindings(findings: readonly Finding[], { color }: { readonly color: boolean }): string {
  const palette = createPalette(color);
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const paint = { ok: palette.green, warning: palette.yellow, problem: palette.red } as const;
  return findings
    .flatMap(({ check, verdict, message, hint }) => [
      `${paint[verdict](words[verdict].padEnd(4))}  ${check.padEnd(width)}  ${oneLine(message)}`,
      ...(hint === undefined ? [] : [`${' '.repeat(width + 8)}${oneLine(hint)}`]),
    ])
    .join('\n');
}

/** The document of `doctor --json`: `docs/json.md`. */
export function findingsDocument(findings: readonly Finding[], exitCode: number): object {
  return {
    exitCode,
    checks: findings.map(({ check, verdict, message, hint = null, code = null }) => {
      return { check, verdict, message, hint, code };
    }),
  };
}
