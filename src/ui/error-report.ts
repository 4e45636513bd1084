import type { Clock } from '../core/clock.ts';
import { type ErrorCode, type ErrorOrigin, type LayerpullError, messageOf } from '../core/errors.ts';
import { createPalette } from './color.ts';
import { oneLine } from './text.ts';

/** What stdout holds when a command with `--json` fails. */
export interface ErrorDocument {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly hint: string | null;
    readonly origin: ErrorOrigin;
    readonly retryable: boolean;
    readonly exitCode: number;
    /** Present when the server said how long to wait. */
    readonly retryAfterMs?: number;
  };
}

interface Output {
  write(text: string): unknown;
}

export interface ReportTarget {
  readonly stdout: Output;
  readonly stderr: Output;
  /** The command was asked for one document on stdout. */
  readonly json: boolean;
  readonly color: boolean;
  /** Present when stderr carries JSON events: the error becomes the last of them. */
  readonly events?: Clock | undefined;
  /** Also where in the program it happened. */
  readonly stack?: boolean;
}

/** One line on stderr, and with `json` the document on stdout. */
export function report(error: LayerpullError, target: ReportTarget): void {
  const { stdout, stderr, json, color, events, stack } = target;
  // Whoever stopped reading knows, and the exit code says it to scripts.
  if (error.code === 'output_closed' && !events && !json) return;
  const line = events ? JSON.stringify(errorEvent(error, events.wallNow())) : errorLine(error, color);
  stderr.write(`${line}\n`);
  if (stack) stderr.write(`${stackOf(error)}\n`);
  if (json) stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`);
}

export function errorDocument(error: LayerpullError): ErrorDocument {
  const { code, hint, origin, retryable, exitCode, retryAfterMs } = error;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  const message = messageOf(error);
  return { error: { code, message, hint: hint ?? null, origin, retryable, exitCode, ...wait } };
}

/** `layerpull: WHAT FAILED (WHAT TO DO)` */
export function errorLine(error: LayerpullError, color: boolean): string {
  const hint = error.hint ? ` (${oneLine(error.hint)})` : '';
  return `${createPalette(color).red('layerpull:')} ${oneLine(messageOf(error))}${hint}`;
}

/** The last line of a command that failed while its progress is JSON. */
export function errorEvent(error: LayerpullError, wallMs: number): object {
  return { time: new Date(wallMs).toISOString(), kind: 'error', ...errorDocument(error).error };
}

/** Whether the arguments ask for JSON, for errors that come before they are parsed. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? argv.length : end).includes('--json');
}

/** The stacks of an error and its causes. */
function stackOf(error: Error): string {
  const stacks: string[] = [];
  for (let cause: unknown = error; cause instanceof Error && stacks.length < 8; cause = cause.cause) {
    stacks.push(cause.stack ?? cause.message);
  }
  return stacks.join('\ncaused by: ');
}
