import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import type { Log } from '../../src/core/log.ts';
import { silentLog } from '../../src/core/log.ts';
import { Announcer } from '../../src/lock/announcer.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const [one, two, three] = ['one', 'two', 'three'].map((text) => blobOf(text).digest) as [
  Digest,
  Digest,
  Digest,
];

/** A store whose content a test decides, and what was announced of it. */
function setUp({ log = silentLog }: { readonly log?: Log } = {}) {
  const clock = createFakeClock();
  const there = new Set<Digest>([one]);
  const told: { add: readonly Digest[]; remove: readonly Digest[] }[] = [];
  const state = { isBroken: false, during: () => {} };
  const list = async function* () {
    if (state.isBroken) throw new Error('input/output error');
    for (const digest of [...there]) yield { digest };
    state.during();
  };
  const announce = (add: readonly Digest[], remove: readonly Digest[]) => void told.push({ add, remove });
  const announcer = new Announcer({ list, announce, clock, log, everyMs: 1_000 });
  return { clock, there, told, state, announcer };
}

describe('what a store has', () => {
  it('is announced whole at the start, and then as it changes', async () => {
    const { announcer, told, there, clock } = setUp();
    await announcer.start();
    expect(told).toEqual([{ add: [one], remove: [] }]);
    await clock.advance(1_000);
    expect(told).toHaveLength(1);
    there.add(two).delete(one);
    await clock.advance(1_000);
    expect(told[1]).toEqual({ add: [two], remove: [one] });
    await announcer.close();
  });

  it('is announced at once where somebody tells of a change, and once', async () => {
    const { announcer, told, there, clock } = setUp();
    await announcer.start();
    there.add(two);
    announcer.came(two);
    announcer.came(two);
    there.delete(one);
    announcer.went(one);
    announcer.went(three);
    await clock.advance(1_000);
    expect(told.slice(1)).toEqual([
      { add: [two], remove: [] },
      { add: [], remove: [one] },
    ]);
    await announcer.close();
  });

  it('is not taken back by a look that began before the change', async () => {
    const { announcer, told, state } = setUp();
    await announcer.start();
    state.during = () => {
      announcer.came(two);
      announcer.went(one);
    };
    await announcer.look();
    expect(told.slice(1)).toEqual([
      { add: [two], remove: [] },
      { add: [], remove: [one] },
    ]);
    await announcer.close();
  });

  it('stays as it was told while the store cannot be read, which is logged', async () => {
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
    const { announcer, told, state } = setUp({ log });
    await announcer.start();
    state.isBroken = true;
    await announcer.look();
    expect(told).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining('input/output error')]);
    await announcer.close();
  });

  it('is looked at no more after the end', async () => {
    const { announcer, told, there, clock } = setUp();
    await announcer.start();
    await announcer.close();
    there.add(two);
    await clock.advance(5_000);
    expect(told).toHaveLength(1);
  });
});
