import { describe, expect, it } from 'vitest';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { agree } from '../../../../src/lock/backends/etcd/meta.ts';
import { toSeatId } from '../../../../src/lock/backends/etcd/replica/cluster.ts';
import type { MachineOptions } from '../../../../src/lock/machine/options.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { createFakeEtcd } from '../../../support/fake-etcd.ts';

function setUp() {
  const fake = createFakeEtcd();
  const clock = createFakeClock();
  const { signal } = new AbortController();
  const join = (options: Partial<MachineOptions> = {}, release = { version: '1.0.0', rules: 1 }) =>
    agree({ etcd: fake.client(), clock, ...release, options, signal });
  const run = () => fake.put(keys.seat(toSeatId('seat')), '');
  return { fake, clock, join, run };
}

const patched = { version: '1.0.1', rules: 1 };
const next = { version: '2.0.0', rules: 2 };
const shorter = { ttlMs: 9_000, heartbeatMs: 3_000 };

describe('what the servers of a cluster agree on', () => {
  it('is made by the first, and is the same for all that come at once', async () => {
    const { join } = setUp();
    const [one, other, third] = await Promise.all([join(), join(), join()]);
    expect(other).toEqual(one);
    expect(third).toEqual(one);
  });

  it('begins tokens above those of a cluster whose data was lost', async () => {
    const one = setUp();
    const before = await one.join();
    const other = setUp();
    await other.clock.advance(1_000);
    const after = await other.join();
    expect(after.machine.firstToken).toBeGreaterThan(before.machine.firstToken + 1_000_000);
  });

  it('is kept from others while servers run', async () => {
    const { join, run } = setUp();
    const first = await join();
    run();
    await expect(join(shorter)).rejects.toMatchObject({
      code: 'cluster_mismatch',
      message: expect.stringContaining('15 s'),
    });
    await expect(join({}, next)).rejects.toMatchObject({
      code: 'cluster_mismatch',
      message: expect.stringContaining('the rules of version 1.0.0'),
    });
    expect(await join()).toEqual(first);
  });

  it('is shared with servers of another version whose rules are the same', async () => {
    const { join, run } = setUp();
    const first = await join();
    run();
    expect(await join({}, patched)).toEqual(first);
  });

  it('is not made anew under servers that run', async () => {
    const { join, run } = setUp();
    run();
    await expect(join()).rejects.toMatchObject({ code: 'cluster_mismatch' });
  });

  it.each([
    ['for other rules', {}, next],
    ['with other options', shorter, patched],
  ] as const)('begins anew %s when none runs', async (_, options, release) => {
    const { fake, clock, join } = setUp();
    const first = await join();
    fake.put(keys.entry(toSeatId('seat'), 1), 'of before');
    fake.put(keys.current, 'of before');
    await clock.advance(1_000);
    const anew = await join(options, release);
    expect(anew.machine).toMatchObject(options);
    expect(anew.machine.firstToken).toBeGreaterThan(first.machine.firstToken);
    expect([...fake.keys(keys.log), ...fake.keys(keys.snapshots)]).toEqual([]);
    expect(await join(options, release)).toEqual(anew);
  });

  it('begins anew for what cannot be read', async () => {
    const { fake, join } = setUp();
    fake.put(keys.meta, 'of others');
    expect((await join()).machine.ttlMs).toBe(15_000);
  });

  it('begins anew above the tokens of before also by a clock that is years behind', async () => {
    const { fake, join } = setUp();
    const first = await join();
    const clock = createFakeClock(1_000_000_000_000);
    const { signal } = new AbortController();
    const anew = await agree({ etcd: fake.client(), clock, ...next, options: {}, signal });
    expect(anew.machine.firstToken).toBeGreaterThan(first.machine.firstToken + 1_000_000_000);
    expect(anew.machine.firstToken).toBeLessThan(2 ** 52);
  });

  it('is not replaced by a server that cannot read it while others run', async () => {
    const { fake, join, run } = setUp();
    run();
    fake.put(keys.meta, 'of others');
    await expect(join()).rejects.toMatchObject({ code: 'cluster_mismatch' });
    expect(String(fake.get(keys.meta))).toBe('of others');
  });
});
