import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../../src/core/ids.ts';
import { createRig, layer, otherLayer } from './support.ts';

const copy = { store: 'copy' };
const minutesMs = 60_000;

type Rig = ReturnType<typeof createRig>;

/** Time passes while these are heard of. */
function passWith(rig: Rig, ms: number, alive: readonly string[]): void {
  for (let left = ms; left > 0; left -= 5_000) {
    rig.pass(5_000);
    for (const who of alive) rig.renew(who);
  }
}

describe('a session that moves to another store', () => {
  it('keeps what it holds and how far it is, and each lock has one holder', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    rig.open('b');
    rig.acquire('b');
    rig.open('a', copy);
    expect([rig.holder(), rig.holder('copy')]).toEqual(['b', 'a']);
    expect(rig.told('a')).toEqual([]);
    expect(rig.release('a')).toEqual({ kind: 'released' });
    expect(rig.told('b').map(({ kind }) => kind)).toEqual(['queued', 'granted']);
  });

  it('says nothing of it as done or failed where it was', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    rig.open('a', copy);
    rig.release('a');
    rig.open('b');
    expect(rig.acquire('b')).toMatchObject({ kind: 'granted' });
    expect(rig.run({ kind: 'status', request: about('b') })).not.toHaveProperty('view.lastError');
  });

  it('loses a lock that was held there under a later token', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    rig.open('b', copy);
    rig.acquire('b');
    rig.release('b', false);
    rig.open('a', copy);
    expect(rig.told('a')).toMatchObject([{ kind: 'revoked', resourceId: layer }]);
    expect(rig.holder('copy')).toBeUndefined();
  });

  it('loses a lock of which nobody remembers under which token it was held there', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    rig.open('b', copy);
    rig.acquire('b');
    rig.release('b', false);
    passWith(rig, 11 * minutesMs, ['a']);
    expect(rig.state.locks.has(`copy\n${layer}`)).toBe(false);
    rig.open('a', copy);
    expect(rig.told('a')).toMatchObject([{ kind: 'revoked' }]);
  });

  it('loses a lock that is one too many', () => {
    const rig = createRig({ maxResources: 1 });
    rig.open('a');
    rig.acquire('a');
    rig.open('b');
    rig.acquire('b');
    rig.open('a', copy);
    expect(rig.told('a')).toMatchObject([{ kind: 'revoked' }]);
    expect(rig.state.active.size).toBe(1);
  });

  it('is told that a place is gone for which there is no room', () => {
    const rig = createRig({ maxResources: 1 });
    for (const who of ['a', 'b']) {
      rig.open(who);
      rig.acquire(who);
    }
    rig.open('b', copy);
    expect(rig.told('b').at(-1)).toMatchObject({ kind: 'failed', resourceId: layer });
    expect(rig.queue()).toEqual([]);
  });

  it('keeps the order in which it asked, behind those who wait there', () => {
    const rig = createRig();
    for (const who of ['a', 'b']) rig.open(who);
    for (const who of ['c', 'd']) rig.open(who, copy);
    for (const who of ['a', 'b', 'c', 'd']) rig.acquire(who);
    rig.acquire('b', { type: 'delete' });
    rig.acquire('c', { resourceId: otherLayer });
    rig.open('b', copy);
    expect(rig.queue('copy')).toEqual(['d', 'b', 'b']);
    expect(rig.queue()).toEqual([]);
  });
});

const about = (node: string) => ({ type: 'pull', resourceId: layer, nodeId: toNodeId(node) }) as const;
