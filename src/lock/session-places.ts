import { abortable, type Deferred, deferred } from '../core/abort.ts';
import type { RequestId } from '../core/ids.ts';
import type { HolderView, LayerAcquire, PlaceChange } from './locks.ts';

/** One request for a lock, from the first question until it is answered for good. */
export interface PendingRequest {
  readonly request: LayerAcquire;
  /** Stays the same however often the question is repeated. */
  readonly requestId: RequestId;
  position: number;
  holder: HolderView | undefined;
  /** The place as the answer to the request tells it. */
  placed(position: number, holder: HolderView | undefined): void;
  /** Keeps the newest change for whoever reads next. */
  push(change: PlaceChange): void;
  next(signal: AbortSignal): Promise<PlaceChange>;
}

/**
 * Only the newest change is kept: each one tells how things stand, so an older one has nothing to add. An `ended`
 * or `granted` is not overwritten by a mere move.
 */
export function createPendingRequest(request: LayerAcquire, requestId: RequestId): PendingRequest {
  let newest: PlaceChange | undefined;
  let arrival: Deferred<void> = deferred();

  const pending: PendingRequest = {
    request,
    requestId,
    position: 0,
    holder: undefined,
    placed(position, holder) {
      pending.position = position;
      pending.holder = holder;
      if (newest?.kind !== 'moved') return;
      newest = undefined;
      arrival = deferred();
    },
    push(change) {
      if (change.kind === 'moved') {
        if (change.position === pending.position && change.holder?.nodeId === pending.holder?.nodeId) return;
        pending.position = change.position;
        pending.holder = change.holder;
        if (newest && newest.kind !== 'moved') return;
      }
      newest = change;
      arrival.resolve();
    },
    async next(signal) {
      while (!newest) await abortable(arrival.promise, signal);
      const change = newest;
      newest = undefined;
      arrival = deferred();
      return change;
    },
  };
  return pending;
}
