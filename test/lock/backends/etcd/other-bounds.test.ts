import { expect, it } from 'vitest';
import { toNodeId, toSessionId, toToken } from '../../../../src/core/ids.ts';
import { EtcdLocks } from '../../../../src/lock/backends/etcd/etcd-locks.ts';
import { startLives } from '../../../../src/lock/backends/etcd/lives.ts';
import type { MachineOptions } from '../../../../src/lock/machine/options.ts';
import { layer } from '../../../conformance/locks/layers.ts';
import { onCleanup } from '../../../support/cleanup.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { createFakeEtcd } from '../../../support/fake-etcd.ts';

const pull = (node: string) => ({
  type: 'pull' as const,
  resourceId: layer,
  nodeId: toNodeId(node),
  sessionId: toSessionId(node),
});

it('keeps a lock that its holder was told it has, where the bounds are others since', async () => {
  const [clock, fake] = [createFakeClock(), createFakeEtcd()];
  const start = async (options: Partial<MachineOptions>) => {
    const lives = await startLives({
      etcd: fake.client(),
      clock,
      version: '0.0.0',
      recoveryMs: 1_000,
      ...options,
    });
    onCleanup(() => lives.close());
    const locks = new EtcdLocks(lives);
    const open = (node: string) =>
      locks.openSession({ nodeId: toNodeId(node), sessionId: toSessionId(node) });
    return { lives, locks, open };
  };
  const held = (token: number, offset: number) => ({
    held: [{ type: 'pull' as const, resourceId: layer, token: toToken(token), offset, total: 100 }],
  });
  const before = await start({ stallMs: 60_000 });
  await before.open('a');
  await before.open('b');
  const asking = before.locks.acquire(pull('a'));
  await clock.advance(2_000);
  const granted = await asking;
  if (granted.kind !== 'granted') throw new Error('free');
  expect(await before.locks.acquire(pull('b'))).toMatchObject({ kind: 'queued' });
  // Longer at one offset than the bound that comes later allows, and then on again.
  for (let beat = 0; beat < 12; beat += 1) {
    await before.locks.renew(toSessionId('a'), held(granted.token, beat < 10 ? 10 : 20 + beat));
    await before.locks.renew(toSessionId('b'), { held: [] });
    await clock.advance(4_000);
  }
  expect((await before.locks.list({}))[0]?.holder?.nodeId).toBe('a');
  await before.lives.close();

  const after = await start({ stallMs: 20_000 });
  await after.open('a');
  await after.locks.renew(toSessionId('a'), held(granted.token, 40));
  await after.open('b');
  const asked = after.locks.acquire(pull('b'));
  await clock.advance(2_000);
  expect(await asked).toMatchObject({ kind: 'queued' });
  expect((await after.locks.list({}))[0]?.holder?.nodeId).toBe('a');
});
