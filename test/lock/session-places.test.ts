import { describe, expect, it } from 'vitest';
import { toNodeId, toRequestId, toSessionId } from '../../src/core/ids.ts';
import { HolderRate } from '../../src/lock/holder-rate.ts';
import { createPendingRequest } from '../../src/lock/session-places.ts';
import { blobOf } from '../support/blobs.ts';
import { settle } from '../support/fake-clock.ts';

const layer = blobOf('a layer');
const holder = { nodeId: toNodeId('node-a') };
const signal = new AbortController().signal;

function pendingRequest() {
  return createPendingRequest({
    request: { type: 'pull', resourceId: layer.digest, total: layer.size },
    requestId: toRequestId('request-1'),
    rate: new HolderRate({ minRateBytesPerSecond: 0, minRateWindowMs: 30_000 }),
  });
}

describe('a place in a queue', () => {
  it('waits for news when its move was told before the answer that gave it', async () => {
    const pending = pendingRequest();
    pending.push({ kind: 'moved', position: 1, holder });
    pending.placed(1, holder);
    let change: unknown;
    pending.next(signal).then((next) => {
      change = next;
    });
    await settle();
    expect(change).toBeUndefined();
    pending.push({ kind: 'ended' });
    await settle();
    expect(change).toEqual({ kind: 'ended' });
  });

  it('does not tell the same place twice', async () => {
    const pending = pendingRequest();
    pending.placed(2, holder);
    pending.push({ kind: 'moved', position: 2, holder });
    pending.push({ kind: 'moved', position: 1, holder });
    expect(await pending.next(signal)).toEqual({ kind: 'moved', position: 1, holder });
  });

  it('tells another holder on the same node, if both have a session', async () => {
    const pending = pendingRequest();
    const [one, two] = ['one', 'two'].map((name) => ({ ...holder, sessionId: toSessionId(name) }));
    pending.placed(1, one);
    for (const known of [holder, one]) pending.push({ kind: 'moved', position: 1, holder: known ?? holder });
    expect(pending.take()).toBeUndefined();
    pending.push({ kind: 'moved', position: 1, holder: two ?? holder });
    expect(await pending.next(signal)).toEqual({ kind: 'moved', position: 1, holder: two });
  });

  it('tells a grant even when moves are told after it', async () => {
    const pending = pendingRequest();
    pending.placed(2, holder);
    pending.push({ kind: 'granted', waiters: 1 });
    pending.push({ kind: 'moved', position: 1, holder });
    expect(await pending.next(signal)).toEqual({ kind: 'granted', waiters: 1 });
  });
});
