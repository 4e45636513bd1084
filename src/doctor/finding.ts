import { type ErrorCode, errorTable, isLayerpullError, messageOf } from '../core/errors.ts';

/** What one look found. */
export interface Finding {
  /** What was looked at: `store`, `lock server`. */
  readonly check: string;
  /** A `warning` may be meant so; with a `problem` something does not work. */
  readonly verdict: 'ok' | 'warning' | 'problem';
  /** What was found, and where: one line. */
  readonly message: string;
  /** What to do: half a sentence, no full stop. */
  readonly hint?: string | undefined;
  /** Of a problem: the error that a command would end with. Absent where no other command meets it. */
  readonly code?: ErrorCode | undefined;
}

/** What a look at one thing finds: mostly one finding, several where there are several of it. */
export type Check = () => Promise<readonly Finding[]>;

export function ok(check: string, message: string): Finding {
  return { check, verdict: 'ok', message };
}

export function warning(check: string, message: string, hint?: string): Finding {
  return { check, verdict: 'warning', message, hint };
}

export function problem(check: string, message: string, hint?: string, code?: ErrorCode): Finding {
  return { check, verdict: 'problem', message, hint, code };
}

/** What an error means that ended a look. */
export function fromError(check: string, error: unknown): Finding {
  if (!isLayerpullError(error)) return problem(check, messageOf(error), undefined, 'unexpected');
  return problem(check, error.message, error.hint, error.code);
}

/** Of the first problem; 1 where it is one that no other command ends with; 0 where there is none. */
export function exitCodeOf(findings: readonly Finding[]): number {
  const first = findings.find(({ verdict }) => verdict === 'problem');
  if (!first) return 0;
  return errorTable[first.code ?? 'unexpected'].exitCode;
}
