import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { CoordinatorFile } from '../../src/lock/coordinator-file.ts';
import { hasAgent, trustOfAgent } from '../../src/lock/embedded-agent.ts';
import { type EmbeddedServer, takeLead } from '../../src/lock/embedded-election.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const tokenFile = '/etc/layerpull/token';
const never = new AbortController().signal;

/** A coordinator that listens on the socket of its store and answers nobody. */
async function listenOn(store: string): Promise<EmbeddedServer> {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(path.join(store, 'coordinator.sock'), resolve));
  const locks = createMemoryLocks({ clock: systemClock });
  return {
    locks,
    hasOtherSessions: () => false,
    close: async () => {
      server.close();
      await locks.close();
    },
  };
}

async function lead(store: string, isAgent: boolean, onWait: (pid?: number) => void = () => {}) {
  const serve = () => listenOn(store);
  const options = { store, clock: systemClock, isAgent, trust: { tokenFile }, serve };
  const seat = await takeLead(options, (record) => onWait(record?.pid), never);
  onTestFinished(() => seat.close().catch(() => {}));
  return seat;
}

describe('an agent', () => {
  it('is found on its store for as long as it coordinates it', async () => {
    const store = tempDir();
    expect(await hasAgent(store)).toBe(false);
    const seat = await lead(store, true);
    expect(await hasAgent(store)).toBe(true);
    await seat.close();
    expect(await hasAgent(store)).toBe(false);
  });

  it('is not what other coordinators are', async () => {
    const store = tempDir();
    await lead(store, false);
    expect(await hasAgent(store)).toBe(false);
  });

  it('is not taken for one that is there because its record is, or for one of another host', async () => {
    const store = tempDir();
    const seat = await lead(store, true);
    const file = path.join(store, 'coordinator.lock');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...record, kernel: 'another' }));
    expect(await hasAgent(store)).toBe(false);
    await seat.close();
    writeFileSync(file, JSON.stringify(record));
    expect(await hasAgent(store)).toBe(false);
    writeFileSync(file, '{');
    expect(await hasAgent(store)).toBe(false);
  });

  it('says where its trust is for as long as it coordinates the store', async () => {
    const store = tempDir();
    const other = await lead(store, false);
    expect(await trustOfAgent(store)).toBeUndefined();
    await other.close();
    const seat = await lead(store, true);
    expect(await trustOfAgent(store)).toEqual({ tokenFile });
    await seat.close();
    expect(await trustOfAgent(store)).toBeUndefined();
  });

  it('is not believed about secrets when it is of another user, who is not root', async () => {
    const store = tempDir();
    await lead(store, true);
    const file = path.join(store, 'coordinator.lock');
    if (statSync(file).uid === 0) chownSync(file, 47_110, 47_110);
    const uid = vi.spyOn(process, 'getuid').mockReturnValue(47_111);
    onTestFinished(() => uid.mockRestore());
    expect(await hasAgent(store)).toBe(true);
    expect(await trustOfAgent(store)).toBeUndefined();
  });

  it('waits for whoever coordinates the store, says once for whom, and is next', async () => {
    const store = tempDir();
    const first = await lead(store, false);
    const waits: unknown[] = [];
    const second = lead(store, true, (pid) => waits.push(pid));
    await soon(async () => expect(waits).toEqual([process.pid]));
    await first.close();
    expect((await second).kind).toBe('coordinator');
    expect(waits).toHaveLength(1);
    expect(await hasAgent(store)).toBe(true);
  });

  it('does not wait for a coordinator on another host', async () => {
    const store = tempDir();
    const file = await CoordinatorFile.open(store);
    expect(await file.tryLock()).toBe(true);
    const elsewhere = { pid: 1, host: 'far-away', kernel: 'another kernel' };
    await file.write({ format: 1, epoch: 4, clean: false, ...elsewhere });
    await expect(lead(store, true)).rejects.toThrow('in use by the host "far-away"');
    await file.close();
  });

  it('waits no longer than it is let', async () => {
    const store = tempDir();
    const file = await CoordinatorFile.open(store);
    expect(await file.tryLock()).toBe(true);
    const stop = new AbortController();
    const options = { store, clock: systemClock, isAgent: true, serve: () => listenOn(store) };
    const waiting = takeLead(options, () => stop.abort(new Error('enough')), stop.signal);
    await expect(waiting).rejects.toThrow('enough');
    await file.close();
  });
});
