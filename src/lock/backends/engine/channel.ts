import { abortable, type Deferred, deferred } from '../../../core/abort.ts';
import { LayerpullError } from '../../../core/errors.ts';

/** Events for one listener: a bounded line between whoever tells and whoever reads. */
export interface Channel<T> {
  /** Breaks the channel when the line is full: a reader that slow starts over. */
  push(item: T): void;
  /** Lets the reader take what is in line and then end. */
  end(): void;
  /** Whether `end` was called, also where the reader had fallen behind before. */
  wasEnded(): boolean;
  /**
   * Items until the end; nothing more once the signal aborts.
   * @throws LayerpullError `lock_unreachable` when the reader fell behind
   */
  items(signal: AbortSignal): AsyncGenerator<T, void, undefined>;
}

export function createChannel<T>(maxItems = 1_000): Channel<T> {
  let line: T[] = [];
  let end: 'none' | 'meant' | 'broken' = 'none';
  let wasEnded = false;
  let news: Deferred<void> = deferred();

  const wake = () => {
    news.resolve();
    news = deferred();
  };
  return {
    push(item) {
      if (end !== 'none') return;
      if (line.length < maxItems) line.push(item);
      else [line, end] = [[], 'broken'];
      wake();
    },
    end() {
      wasEnded = true;
      if (end === 'none') end = 'meant';
      wake();
    },
    wasEnded: () => wasEnded,
    async *items(signal) {
      while (!signal.aborted) {
        const batch = line;
        line = [];
        for (const item of batch) {
          if (signal.aborted) return;
          yield item;
        }
        if (line.length > 0) continue;
        if (end === 'broken') throw fellBehind();
        if (end === 'meant') return;
        await abortable(news.promise, signal).catch(() => {});
      }
    },
  };
}

function fellBehind(): LayerpullError {
  return new LayerpullError(
    'lock_unreachable',
    'the events of the lock service came faster than they were read',
    {
      hint: 'listen again: a stream begins with how things stand',
    },
  );
}
