import type { Clock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Token } from '../core/ids.ts';
import type { HeldProgress, Hold, LayerAcquire, Outcome, Source } from './locks.ts';
import { type ActiveGuide, registryGuide } from './session-guides.ts';

/** A lock that this session holds, with what the next heartbeat tells of it. */
export interface ActiveHold {
  readonly hold: Hold;
  readonly token: Token;
  view(): HeldProgress;
  /** How many of its store wait for it, as the server said last. */
  waiters: number;
  /** Its owner has ended it: whatever is told of it from then on is no news. */
  isEnding(): boolean;
  revoke(reason: string): void;
  /** The server names another source for it. */
  move(source: Source): void;
}

export interface HoldParts {
  readonly request: LayerAcquire;
  readonly token: Token;
  readonly guide: ActiveGuide;
  readonly onProgress: () => void;
  /** Tells the server, and takes the hold off the books. */
  readonly onRelease: (outcome: Outcome) => Promise<void>;
  /** Gives it back to the server, and takes the hold off the books. */
  readonly onDecline: () => Promise<void>;
  /**
   * Whether the server may have given the lock to somebody else without this session knowing. Asked whenever `revoked`
   * is read, because timers come late in a process that was stopped. Default: never.
   */
  readonly isOutOfTouch?: () => boolean;
  /** For who only listens. */
  readonly clock: Clock;
}

/** Short beside the second that is left. */
const lookEveryMs = 250;

export function createHold(parts: HoldParts): ActiveHold {
  const { type, resourceId } = parts.request;
  let { total } = parts.request;
  const { isOutOfTouch, guide: active } = parts;
  const { guide, move } = active;
  const revocation = new AbortController();
  let offset = 0;
  let isEnding = false;
  let ended: Promise<void> | undefined;
  const end = (how: () => Promise<void>) => {
    isEnding = true;
    stopLooking?.();
    ended ??= how();
    return ended;
  };
  const revoke = (reason: string) => {
    stopLooking?.();
    revocation.abort(new LayerpullError('lock_lost', `the lock on ${resourceId} is lost: ${reason}`));
  };
  const look = () => {
    if (!isEnding && isOutOfTouch?.()) revoke('the lock server did not confirm it in time');
  };
  const stopLooking = isOutOfTouch && parts.clock.every(lookEveryMs, look);
  const hold: Hold = {
    resourceId,
    token: parts.token,
    source: guide.source,
    guide,
    get revoked() {
      look();
      return revocation.signal;
    },
    progress(reached, whole = total) {
      offset = reached;
      total = whole;
      parts.onProgress();
    },
    release: (outcome) => end(() => parts.onRelease(outcome)),
    decline: () => end(() => parts.onDecline()),
  };
  return {
    hold,
    token: parts.token,
    waiters: 0,
    view: () => ({ type, resourceId, token: parts.token, offset, total }),
    isEnding: () => isEnding,
    revoke,
    move,
  };
}

/** Leave to go on without a lock: nobody coordinates, and the store keeps two downloads apart. */
export function uncoordinatedHold(request: LayerAcquire, onRelease: () => void): Hold {
  return {
    resourceId: request.resourceId,
    source: registryGuide.source,
    guide: registryGuide,
    revoked: new AbortController().signal,
    progress() {},
    release: async () => onRelease(),
    decline: async () => onRelease(),
  };
}
