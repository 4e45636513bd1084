import { StringDecoder } from 'node:string_decoder';
import { patienceMs } from './patience.ts';

/** The text that came out of a stream so far. */
export interface TextLog {
  readonly text: () => string;
  /** Whole lines, without their ends. */
  readonly lines: () => string[];
  /**
   * The first match in the whole text, now or when it comes.
   *
   * @throws an error with the text, when the stream ends without one or after `timeoutMs` (60 s)
   */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Calls `listener` after every piece of text and at the end, until the function it returns is called. */
  onChange(listener: () => void): () => void;
  readonly ended: () => boolean;
}

/** What a TextLog reads: a stream, or a terminal made to look like one. */
interface TextSource {
  on(event: 'data', listener: (chunk: Uint8Array | string) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
}

const defaultMaxChars = 16 * 1024 * 1024;

/** Reads `source` to its end and keeps its last `maxChars` characters. */
export function createTextLog(source: TextSource, maxChars = defaultMaxChars): TextLog {
  const decoder = new StringDecoder('utf8');
  const listeners = new Set<() => void>();
  let text = '';
  let ended = false;
  const notify = () => {
    for (const listener of [...listeners]) listener();
  };
  source.on('data', (chunk) => {
    const added = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
    text = (text + added).slice(-maxChars);
    notify();
  });
  source.on('close', () => {
    ended = true;
    notify();
  });

  const log: TextLog = {
    text: () => text,
    lines: () => text.split('\n').slice(0, -1),
    ended: () => ended,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    waitFor: (pattern, timeoutMs = patienceMs) =>
      waitForChange(log, timeoutMs, String(pattern), () => pattern.exec(text) ?? undefined),
  };
  return log;
}

/**
 * Resolves to what `find` finds in a log, now or after a change.
 *
 * @throws an error that names `what` and shows the text
 */
export function waitForChange<T>(
  log: TextLog,
  timeoutMs: number,
  what: string,
  find: () => T | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      stopListening();
      settle();
    };
    const fail = (why: string) =>
      finish(() => reject(new Error(`${why} without ${what}; it said:\n${log.text().slice(-4_000)}`)));
    const look = () => {
      const found = find();
      if (found !== undefined) finish(() => resolve(found));
      else if (log.ended()) fail('the output ended');
    };
    const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
    const stopListening = log.onChange(look);
    look();
  });
}
