import type { Log } from '../core/log.ts';
import type { LogOptions } from './log-pino.ts';

export type { LogOptions } from './log-pino.ts';

export interface ClosableLog extends Log {
  /** Resolves once every line is written. */
  flush(): Promise<void>;
}

const order = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/**
 * The log of a command. pino is loaded with the first line that is written, so a command that has nothing to say
 * does not pay for it; the lines keep their order.
 */
export function createLog(options: LogOptions): ClosableLog {
  const least = order.indexOf(options.level);
  let sink: Promise<Log> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const write = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    if (order.indexOf(level) < least) return;
    sink ??= openSink(options);
    last = sink.then((log) => log[level](fields, message));
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    flush: async () => void (await last),
  };
}

async function openSink(options: LogOptions): Promise<Log> {
  const { createPinoLog } = await import('./log-pino.ts');
  return createPinoLog(options);
}
