import { type Deferred, deferred } from '../../../core/abort.ts';
import { LayerpullError } from '../../../core/errors.ts';

/** Events for one listener: a bounded line between whoever tells and whoever reads. */
export interface Channel<T> {
  /** Breaks the channel when the line is full: a reader that slow starts over. */
  push(item: T): void;
  /** Lets the reader take what is in line and then end. */
  end(): void;
  /** What is in line is dropped, and the reader gets the error. */
  breakOff(error: Error): void;
  /** The reader is gone: nothing more comes. */
  stop(): void;
  /** Whether `end` was called, also where the reader had fallen behind before. */
  wasEnded(): boolean;
  /**
   * What is in line, as soon as there is something; undefined at the end.
   * @throws LayerpullError `lock_unreachable` when the reader fell behind; the error of `breakOff`
   */
  next(): Promise<readonly T[] | undefined>;
}

export function createChannel<T>(maxItems = 1_000): Channel<T> {
  let line: T[] = [];
  let end: 'none' | 'meant' | 'broken' | 'stopped' = 'none';
  let wasEnded = false;
  let news: Deferred<void> | undefined;
  let problem: () => Error = fellBehind;

  const finish = (how: 'meant' | 'broken' | 'stopped') => {
    if (end === 'none' || how === 'stopped') end = how;
    news?.resolve();
  };
  return {
    push(item) {
      if (end !== 'none') return;
      if (line.length < maxItems) {
        line.push(item);
        news?.resolve();
        return;
      }
      line = [];
      finish('broken');
    },
    end() {
      wasEnded = true;
      finish('meant');
    },
    breakOff(error) {
      if (end !== 'none') return;
      line = [];
      problem = () => error;
      finish('broken');
    },
    stop: () => finish('stopped'),
    wasEnded: () => wasEnded,
    async next() {
      if (line.length === 0 && end === 'none') {
        news = deferred();
        await news.promise;
        news = undefined;
      }
      if (end === 'stopped') return undefined;
      if (end === 'broken') throw problem();
      const batch = line;
      line = [];
      return batch.length > 0 ? batch : undefined;
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
