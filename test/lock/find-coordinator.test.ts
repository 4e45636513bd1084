import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { EmbeddedServer } from '../../src/lock/embedded-election.ts';
import { takeLead } from '../../src/lock/embedded-election.ts';
import { findCoordinator } from '../../src/lock/find-coordinator.ts';
import { tempDir } from '../support/temp.ts';

const never = new AbortController().signal;

/** Takes connections and answers nobody, as a process does that is stopped. */
async function listenOn(store: string): Promise<EmbeddedServer> {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(path.join(store, 'coordinator.sock'), resolve));
  const locks = createMemoryLocks({ clock: systemClock });
  const close = async () => {
    server.close();
    await locks.close();
  };
  return { locks, hasOtherSessions: () => false, close };
}

async function lead(store: string, isAgent: boolean) {
  const options = { store, clock: systemClock, isAgent, serve: () => listenOn(store) };
  const seat = await takeLead(options, () => {}, never);
  onTestFinished(() => seat.close().catch(() => {}));
  return seat;
}

const connect = async () => undefined;

describe('whoever looks for the coordinator of a store', () => {
  it.each([
    [true, 'the agent of the store'],
    [false, 'the process that coordinates the store'],
  ])('does not take one for nobody that listens and does not answer (agent: %s)', async (isAgent, name) => {
    const store = tempDir();
    await lead(store, isAgent);
    await expect(findCoordinator({ store, connect }, never)).rejects.toMatchObject({
      code: 'lock_unreachable',
      message: `${name} ${store} (process ${process.pid}) does not answer`,
    });
  });

  it('finds nobody where nobody listens, also when a record is left', async () => {
    const store = tempDir();
    expect(await findCoordinator({ store, connect }, never)).toBeUndefined();
    await (await lead(store, true)).close();
    expect(await findCoordinator({ store, connect }, never)).toBeUndefined();
  });

  it('ends what it opened when the caller closes it', async () => {
    const store = tempDir();
    const { locks } = await lead(store, true);
    const close = vi.fn(async () => {});
    const own = { ...locks, close };
    const found = await findCoordinator({ store, connect: async () => own }, never);
    expect(found?.locks).toBe(own);
    await found?.close();
    expect(close).toHaveBeenCalledOnce();
  });
});
