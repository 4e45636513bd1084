import { patienceMs } from './patience.ts';
import { type TextLog, waitForChange } from './text-log.ts';

/** One line of a log of ours in JSON. */
export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly msg: string;
  readonly level: string;
  readonly time: string;
}

/** What a line must say: each of these fields as here. */
export type LogMatch = Readonly<Record<string, unknown>>;

export interface LogLines {
  /** All so far for which `match` holds. */
  find(msg: string, match?: LogMatch): LogLine[];
  all(): LogLine[];
  /** The first such line, now or when it comes. @throws an error that shows the log after 60 s */
  waitFor(msg: string, match?: LogMatch): Promise<LogLine>;
}

/** The JSON lines that a daemon writes to stderr. */
export function logLines(log: TextLog): LogLines {
  const all = () => log.lines().flatMap(parseLine);
  const find = (msg: string, match: LogMatch = {}) =>
    all().filter((line) => line.msg === msg && saysSo(line, match));
  return {
    all,
    find,
    waitFor: (msg, match = {}) =>
      waitForChange(log, patienceMs, `"${msg}" ${JSON.stringify(match)}`, () => find(msg, match)[0]),
  };
}

function saysSo(line: LogLine, match: LogMatch): boolean {
  return Object.entries(match).every(([name, value]) => line[name] === value);
}

function parseLine(text: string): LogLine[] {
  if (!text.startsWith('{')) return [];
  const value: unknown = JSON.parse(text);
  return isLogLine(value) ? [value] : [];
}

function isLogLine(value: unknown): value is LogLine {
  return typeof value === 'object' && value !== null && 'msg' in value && typeof value.msg === 'string';
}
