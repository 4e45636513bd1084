import { describe, expect, it } from 'vitest';
import { boundsInWords } from '../../../../src/lock/backends/etcd/bounds-in-words.ts';

describe('the bounds of other lock servers', () => {
  it('are named as they are given, without what follows from them', () => {
    const theirs = { ttlMs: 15_000, heartbeatMs: 5_000, fanOut: 3, queueing: false, leaseMs: 600_000 };
    expect(boundsInWords(Object.keys(theirs), theirs)).toBe(
      'a session TTL of 15 s, a fan-out of 3, no queue, a sessionless lease of 600 s',
    );
  });

  it('are named all the same where nobody can give them', () => {
    expect(boundsInWords(['placeMs', 'newMs'], { placeMs: 15_000 })).toBe('placeMs 15000, newMs unknown');
  });
});
