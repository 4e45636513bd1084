import { abortable, type Deferred, deferred } from '../../core/abort.ts';

/** Events for one listener: a bounded line between whoever tells and whoever reads. */
export interface Channel<T> {
  /** Ends the channel when the line is full: a reader that slow starts over. */
  push(item: T): void;
  end(): void;
  /** Items until the end, or until the signal aborts; then the rest of the line is dropped. */
  items(signal: AbortSignal): AsyncIterable<T>;
}

export function createChannel<T>(maxItems = 1_000): Channel<T> {
  const line: T[] = [];
  let isEnded = false;
  let news: Deferred<void> = deferred();

  const wake = () => {
    news.resolve();
    news = deferred();
  };
  return {
    push(item) {
      if (isEnded) return;
      if (line.length >= maxItems) isEnded = true;
      else line.push(item);
      wake();
    },
    end() {
      isEnded = true;
      wake();
    },
    async *items(signal) {
      for (;;) {
        if (signal.aborted) return;
        const item = line.shift();
        if (item !== undefined) yield item;
        else if (isEnded) return;
        else await abortable(news.promise, signal).catch(() => {});
      }
    },
  };
}
