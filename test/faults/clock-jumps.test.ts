import { pathToFileURL } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { toNodeId } from '../../src/core/ids.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import { openLockSession } from '../../src/lock/session.ts';
import { onCleanup } from '../support/cleanup.ts';
import { cliEnv, cliProgram } from '../support/cli.ts';
import { spawnProcess } from '../support/processes.ts';
import { inRoot } from '../support/root.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const layer = digestOf(Buffer.from('a layer'));
const signal = new AbortController().signal;
const pull = { type: 'pull', resourceId: layer, total: 1_000 } as const;

/** A server whose wall clock a signal moves. */
async function startServer() {
  const preload = pathToFileURL(inRoot('test', 'support', 'programs', 'jumping-clock.mjs')).href;
  const serve = ['serve', '--addr', '127.0.0.1:0', '--data', tempDir(), '--session-ttl', '9s'];
  const child = await spawnProcess(process.execPath, ['--import', preload, cliProgram(), ...serve], {
    env: cliEnv(),
  });
  const [url] = await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  const jump = async (shiftMs: number) => {
    child.kill('SIGUSR2');
    await child.stderr.waitFor(new RegExp(`moved by ${shiftMs} ms`));
  };
  return { url: new URL(url), jump };
}

function join(url: URL, name: string) {
  const locks = createHttpLocks({ servers: [url], version: 'test', clock: systemClock });
  const session = openLockSession({ locks, clock: systemClock, nodeId: toNodeId(name) });
  onCleanup(async () => {
    await session.close();
    await locks.close();
  });
  return { locks, session };
}

const dayMs = 86_400_000;

describe('a wall clock that jumps', () => {
  it('at the server ends no hold, no place and no session, and hands over as ever', async () => {
    const { url, jump } = await startServer();
    const [a, b] = [join(url, 'a'), join(url, 'b')];
    const held = await a.session.acquire(pull, signal);
    const waiting = await b.session.acquire(pull, signal);
    if (held.kind !== 'granted' || waiting.kind !== 'queued') throw new Error('a holder and a waiter');
    for (const shiftMs of [dayMs, -dayMs, 0]) {
      await jump(shiftMs);
      // Time is looked at four times a second: an answer that is younger than the jump shows what it did.
      await soon(async () => {
        const [view] = await a.locks.list({});
        expect(view?.holder).toMatchObject({ nodeId: 'a', token: held.hold.token });
        expect(view?.queue).toMatchObject([{ nodeId: 'b', position: 1 }]);
        expect((await a.locks.nodes()).every(({ lastSeenMs }) => lastSeenMs < 60_000)).toBe(true);
      });
      expect(held.hold.revoked.aborted).toBe(false);
    }
    await held.hold.release({ success: false, error: 'x', class: 'node' });
    let change = await waiting.place.next(signal);
    while (change.kind === 'moved') change = await waiting.place.next(signal);
    expect(change.kind).toBe('granted');
    expect(await b.session.acquire(pull, signal)).toMatchObject({ kind: 'granted' });
  });

  it.each([dayMs, -dayMs])('at a client, by %i ms, loses it nothing', async (shiftMs) => {
    const { url } = await startServer();
    const { locks, session } = join(url, 'a');
    const held = await session.acquire(pull, signal);
    if (held.kind !== 'granted') throw new Error('a holder');
    const now = Date.now.bind(Date);
    const jumped = vi.spyOn(Date, 'now').mockImplementation(() => now() + shiftMs);
    onCleanup(() => jumped.mockRestore());
    held.hold.progress(500);
    // The next heartbeat tells the progress: the session lives on.
    await expect.poll(async () => (await locks.list({}))[0]?.holder?.offset).toBe(500);
    expect(held.hold.revoked.aborted).toBe(false);
  });
});
