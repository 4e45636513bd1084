import pLimit from 'p-limit';
import { abortable, deferred } from '../core/abort.ts';
import type { Slot, Slots } from '../hooks/layer-slots.ts';

interface Request {
  readonly give: (slot: Slot) => void;
}

/**
 * A pool of `concurrency` slots. p-limit says when a place is free; who gets it is decided at that moment, so that
 * a layer whose lock was granted overtakes those that have not started.
 */
export function createSlots(concurrency: number): Slots {
  const limit = pLimit(concurrency);
  const waiting = { granted: new Set<Request>(), fresh: new Set<Request>() };

  const serveNext = async () => {
    const line = waiting.granted.size > 0 ? waiting.granted : waiting.fresh;
    const [request] = line;
    if (!request) return;
    line.delete(request);
    await new Promise<void>((release) => request.give({ release }));
  };

  return {
    take: (priority, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const leave = () => {
          line.delete(request);
          reject(signal.reason);
        };
        const line = waiting[priority];
        const request: Request = {
          give: (slot) => {
            signal.removeEventListener('abort', leave);
            resolve(slot);
          },
        };
        line.add(request);
        signal.addEventListener('abort', leave, { once: true });
        void limit(serveNext);
      }),
  };
}

/** The slots of one layer, whose turn comes behind those of the layers before. */
export interface Turn {
  readonly slots: Slots;
  /** It needs no slot any more: who comes next waits no longer for it. Idempotent. */
  end(): void;
}

/**
 * Layers ask for their first slot in the order in which their turns were made, however long each one looks into the
 * store before.
 */
export function createTurns(slots: Slots): () => Turn {
  let before: Promise<void> = Promise.resolve();
  return () => {
    const mine = before;
    const asked = deferred<void>();
    before = mine.then(() => asked.promise);
    return {
      slots: {
        take: async (priority, signal) => {
          if (priority === 'fresh') await abortable(mine, signal);
          const slot = slots.take(priority, signal);
          asked.resolve();
          return await slot;
        },
      },
      end: () => asked.resolve(),
    };
  };
}
