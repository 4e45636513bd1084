import { type DestinationStream, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Log } from '../core/log.ts';

export interface LogOptions {
  /** Least level that is written. */
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly format: 'text' | 'json';
  /** Colours in the text form. */
  readonly color: boolean;
  /** Where lines go: stderr. Written through its `write`, so that a frame on the same terminal is not torn. */
  readonly stream: { write(text: string): unknown };
}

export function createPinoLog(options: LogOptions): Log {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination(options),
  );
}

function destination({ format, color, stream }: LogOptions): DestinationStream {
  if (format === 'json') return { write: (line) => void stream.write(line) };
  const prettify = prettyFactory({ colorize: color, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' });
  return { write: (line) => void stream.write(prettify(line)) };
}
