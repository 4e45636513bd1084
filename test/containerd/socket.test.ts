import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startContentService } from '../../src/containerd/server.ts';
import { takeSocket } from '../../src/containerd/socket.ts';
import { systemClock } from '../../src/core/clock.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createContentClient } from '../support/content-client.ts';
import { tempDir } from '../support/temp.ts';
import { setUpService } from './support.ts';

/** A socket whose process was killed. */
function leaveStale(file: string): void {
  const code = `require('net').createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ['-e', code]);
  expect(lstatSync(file).isSocket()).toBe(true);
}

describe('the socket', () => {
  it('is for this user alone, and gone with the service', async () => {
    const { socket, folder, close } = await setUpService();
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    await close();
    expect(existsSync(socket)).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['content.sock.lock', 'store']);
  });

  it('is taken over from a process that was killed', async () => {
    const setup = await setUpService();
    const socket = path.join(setup.folder, 'stale.sock');
    leaveStale(socket);
    const shelf = await setup.store.shelf('node-b');
    onCleanup(() => shelf.close());
    const service = await startContentService({ socket, shelf, flights: setup.flights, clock: systemClock });
    onCleanup(() => service.close());
    expect(await createContentClient(socket).list()).toEqual([]);
  });

  it('is not taken from a process that listens, whatever it is', async () => {
    const { socket, client } = await setUpService();
    await expect(takeSocket(socket)).rejects.toMatchObject({ code: 'address_in_use' });
    const other = path.join(tempDir(), 'other.sock');
    const server = net.createServer().listen(other);
    await new Promise((resolve) => server.once('listening', resolve));
    onCleanup(() => void server.close());
    await expect(takeSocket(other)).rejects.toMatchObject({ code: 'address_in_use' });
    expect(await client.list()).toEqual([]);
  });

  it('goes to one of several that want it at once', async () => {
    const socket = path.join(tempDir(), 'new', 'content.sock');
    const places = await Promise.allSettled([1, 2, 3, 4].map(() => takeSocket(socket)));
    const [winner, ...others] = places.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(others).toEqual([]);
    await winner?.close();
    const next = await takeSocket(socket);
    await next.close();
  });

  it('never stands in place of another file', async () => {
    const folder = tempDir();
    const file = path.join(folder, 'file');
    writeFileSync(file, 'precious');
    mkdirSync(path.join(folder, 'folder'));
    for (const name of ['file', 'folder', 'file/below']) {
      await expect(takeSocket(path.join(folder, name))).rejects.toMatchObject({ code: 'usage' });
    }
    expect(lstatSync(file).size).toBe(8);
  });

  it('has a path that the kernel takes', async () => {
    const folder = path.join(tempDir(), 'd'.repeat(90));
    await expect(takeSocket(path.join(folder, 's'))).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('too long'),
    });
    expect(readdirSync(folder)).toEqual(['s.lock']);
  });
});

describe('the end of the service', () => {
  it('ends streams with an answer that has containerd ask again, and comes once', async () => {
    const setup = await setUpService();
    const writer = await setup.client.writer('c1');
    await writer.write(Buffer.from('some bytes'));
    await Promise.all([setup.close(), setup.close()]);
    expect(await writer.ended).toBe('UNAVAILABLE');
    await expect(setup.client.list()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await setup.restart();
    expect(await createContentClient(setup.socket).status('c1')).toMatchObject({ offset: 10 });
  });

  it('leaves nothing taken when it cannot begin', async () => {
    const setup = await setUpService();
    const socket = path.join(setup.folder, 'second.sock');
    const shelf = await setup.store.shelf('node-b');
    writeFileSync(path.join(shelf.folder, 'ingest'), 'no folder');
    const begin = () => startContentService({ socket, shelf, flights: setup.flights, clock: systemClock });
    await expect(begin()).rejects.toThrow();
    await shelf.close();
    const place = await takeSocket(socket);
    await place.close();
  });
});
