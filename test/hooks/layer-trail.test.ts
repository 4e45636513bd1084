import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { Trail } from '../../src/hooks/layer-trail.ts';

const error = new LayerpullError('digest_mismatch', 'wrong');
const brokeOff = new LayerpullError('registry_failed', 'broke off');

/** One try: who gave bytes in turn, those with a `~` as relays. */
function read(trail: Trail, ...names: string[]): void {
  trail.begin();
  for (const name of names) {
    trail.use({ url: name.replace('~', ''), offset: 0 }, name.startsWith('~'));
    trail.gave();
  }
}

const standings = (trail: Trail, ...urls: string[]) => urls.map((url) => trail.standing(url).kind);

describe('wrong bytes', () => {
  it('are the fault of whoever gave all of them as complete', () => {
    const trail = new Trail();
    read(trail, 'a');
    expect(trail.mismatch(error, false)).toBe(true);
    expect(standings(trail, 'a', 'b')).toEqual(['wrong', 'good']);
    expect(trail.restarts).toBe(0);
  });

  it('are nobody’s fault where a relay gave a part of them', () => {
    const trail = new Trail();
    read(trail, 'a', '~b', 'registry');
    expect(trail.mismatch(error, false)).toBe(true);
    expect(standings(trail, 'a', 'b', 'registry')).toEqual(['good', 'good', 'good']);
    expect(trail.restarts).toBe(1);
  });

  it('are not the fault of a relay that became complete while it was read', () => {
    const trail = new Trail();
    read(trail, '~a', 'a');
    trail.mismatch(error, false);
    expect(standings(trail, 'a')).toEqual(['good']);
    expect(trail.restarts).toBe(1);
  });

  it('are the fault of one that was a relay before, and is complete when it gives all of them', () => {
    const trail = new Trail();
    read(trail, '~a');
    trail.mismatch(error, false);
    read(trail, 'a');
    expect(trail.mismatch(error, false)).toBe(true);
    expect(standings(trail, 'a')).toEqual(['wrong']);
  });

  it('let a layer begin again twice because of relays, and no more often', () => {
    const trail = new Trail();
    const again = [1, 2, 3].map(() => {
      read(trail, '~a');
      return trail.mismatch(error, false);
    });
    expect(again).toEqual([true, true, false]);
  });

  it('change nothing for the registry beside a relay: alone it is proved wrong, or right', () => {
    const trail = new Trail();
    read(trail, '~a', 'registry');
    trail.mismatch(error, false);
    read(trail, 'registry');
    expect(trail.mismatch(error, false)).toBe(true);
    expect(standings(trail, 'a', 'registry')).toEqual(['good', 'wrong']);
  });

  it('of two that are complete leave both in doubt, one alone to be read', () => {
    const trail = new Trail();
    read(trail, 'a', 'b');
    expect(trail.mismatch(error, false)).toBe(true);
    read(trail, 'a');
    expect(standings(trail, 'a', 'b')).toEqual(['doubtful', 'barred']);
    expect(trail.brokeOff(brokeOff)).toBe(true);
    expect(trail.standing('a')).toMatchObject({ kind: 'wrong', error: { code: 'registry_failed' } });
  });
});
