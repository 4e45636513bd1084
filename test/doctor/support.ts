import type { Finding } from '../../src/doctor/finding.ts';

/** Findings as `verdict check`. */
export function verdicts(findings: readonly Finding[]): string[] {
  return findings.map(({ verdict, check }) => `${verdict} ${check}`);
}

/** What was said of the problems. */
export function problemsIn(findings: readonly Finding[]): string[] {
  return findings.filter(({ verdict }) => verdict === 'problem').map(({ message }) => message);
}
