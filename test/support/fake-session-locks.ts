import { type Deferred, deferred } from '../../src/core/abort.ts';
import { toNodeId, toSessionId, toToken } from '../../src/core/ids.ts';
import type {
  Hold,
  LayerAcquire,
  LayerReply,
  Outcome,
  Place,
  PlaceChange,
  SessionLocks,
} from '../../src/lock/locks.ts';
import { registryGuide } from '../../src/lock/session-guides.ts';

/** A session whose replies a test decides, and which remembers what was asked of it. */
export interface FakeSessionLocks extends SessionLocks {
  readonly asked: LayerAcquire[];
  readonly released: { readonly token: number; readonly outcome: Outcome }[];
  /** Places given up. */
  readonly declined: number[];
  /** Tokens of locks that were declined. */
  readonly givenBack: number[];
  /** Replies in this order; afterwards every request is granted. */
  reply(...replies: LayerReply[]): void;
  /** Locks held at once now, and at most so far. */
  readonly held: { now: number; most: number };
}

export function createFakeSessionLocks(): FakeSessionLocks {
  const replies: LayerReply[] = [];
  const fake: FakeSessionLocks = {
    sessionId: toSessionId('session-1'),
    claimMs: 10_000,
    asked: [],
    released: [],
    declined: [],
    givenBack: [],
    held: { now: 0, most: 0 },
    reply: (...more) => {
      replies.push(...more);
    },
    async acquire(request) {
      fake.asked.push(request);
      const reply = replies.shift() ?? { kind: 'granted', hold: fakeHold(fake, request) };
      if (reply.kind === 'granted') {
        fake.held.now += 1;
        fake.held.most = Math.max(fake.held.most, fake.held.now);
      }
      return reply;
    },
  };
  return fake;
}

export interface FakeHold extends Hold {
  revoke(reason: Error): void;
}

let lastToken = 0;

export function fakeHold(locks: FakeSessionLocks, request: Pick<LayerAcquire, 'resourceId'>): FakeHold {
  const revocation = new AbortController();
  lastToken += 1;
  const token = toToken(lastToken);
  return {
    resourceId: request.resourceId,
    token,
    source: { kind: 'registry' },
    guide: registryGuide,
    revoked: revocation.signal,
    progress() {},
    async release(outcome) {
      locks.held.now -= 1;
      locks.released.push({ token, outcome });
    },
    async decline() {
      locks.held.now -= 1;
      locks.givenBack.push(token);
    },
    revoke: (reason) => revocation.abort(reason),
  };
}

export interface FakePlace extends Place {
  change(change: PlaceChange): void;
}

export function fakePlace(locks: FakeSessionLocks, holder = 'node-a', position = 1): FakePlace {
  const changes: PlaceChange[] = [];
  let arrival: Deferred<void> = deferred();
  return {
    position,
    holder: { nodeId: toNodeId(holder) },
    async next(signal) {
      for (;;) {
        const change = changes.shift();
        if (change) return change;
        await new Promise<void>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          arrival.promise.then(resolve, reject);
        });
      }
    },
    async decline() {
      locks.declined.push(position);
    },
    change(change) {
      changes.push(change);
      arrival.resolve();
      arrival = deferred();
    },
  };
}
