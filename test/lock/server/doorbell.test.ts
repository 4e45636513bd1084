import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import { answerDoor } from '../../../src/lock/server/doorbell.ts';
import { createLockServer, type LockServer } from '../../../src/lock/server/server.ts';
import { tempDir } from '../../support/temp.ts';
import { fakeLocks } from './support.ts';

const locks = fakeLocks({ list: async () => [] });
const newServer = (more: { headersTimeoutMs?: number } = {}) =>
  createLockServer({ locks, clock: systemClock, ...more });

interface Door {
  readonly socketPath: string;
  readonly loads: () => number;
  close(): Promise<void>;
}

async function openDoor(load: () => Promise<LockServer> = async () => newServer()): Promise<Door> {
  const socketPath = path.join(tempDir(), 's');
  let loads = 0;
  const door = await answerDoor(socketPath, () => {
    loads += 1;
    return load();
  });
  onTestFinished(() => door.close());
  return { socketPath, loads: () => loads, close: () => door.close() };
}

function clientOf({ socketPath }: Door) {
  const client = createHttpLocks({
    servers: [],
    socketPath,
    version: '1',
    clock: systemClock,
    timeouts: { retries: 0 },
  });
  onTestFinished(() => client.close());
  return client;
}

function ring({ socketPath }: Door): Socket {
  return connect(socketPath).on('error', () => {});
}

describe('a door', () => {
  it('loads no server while nobody comes', async () => {
    const door = await openDoor();
    await door.close();
    expect(door.loads()).toBe(0);
    expect(existsSync(door.socketPath)).toBe(false);
  });

  it('loads one for all who come at once, and each gets its answer', async () => {
    const door = await openDoor();
    const clients = [clientOf(door), clientOf(door), clientOf(door)];
    expect(await Promise.all(clients.map((client) => client.list({})))).toEqual([[], [], []]);
    expect(door.loads()).toBe(1);
  });

  it('tries again for who comes after a load that failed', async () => {
    let tries = 0;
    const door = await openDoor(async () => {
      tries += 1;
      if (tries === 1) throw new Error('no memory');
      return newServer();
    });
    await expect(clientOf(door).list({})).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(await clientOf(door).list({})).toEqual([]);
  });

  it('lets nobody wait behind it when it is closed', async () => {
    const never = new Promise<LockServer>((_, reject) => setImmediate(() => reject(new Error('closed'))));
    const door = await openDoor(() => never);
    const caller = ring(door);
    const gone = once(caller, 'close');
    await once(caller, 'connect');
    await door.close();
    await gone;
  });

  it('watches those it let in for slow requests, as any server does', async () => {
    const door = await openDoor(async () => newServer({ headersTimeoutMs: 300 }));
    const slow = ring(door);
    slow.write('GET /healthz HTTP/1.1\r\n');
    slow.resume();
    await once(slow, 'close');
  });

  it('ends streams and connections with the server', async () => {
    const door = await openDoor();
    const idle = ring(door);
    idle.resume();
    idle.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(idle, 'data');
    const gone = once(idle, 'close');
    await door.close();
    await gone;
  });
});
