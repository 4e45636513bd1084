import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { withOwnCleanups } from '../support/cleanup.ts';
import { resourceNamed } from '../support/lock-client.ts';
import { lineUp, lockView, silenceMs } from '../support/lock-http.ts';
import { startLine, troubles } from '../support/lock-line.ts';
import { type RunningLockServer, startLockServer } from '../support/lock-servers.ts';
import { soon } from '../support/soon.ts';

const ttlMs = 3_000;

/** Stops the server for longer than a session may be silent: how long it lasts is the fault itself. */
async function stopForLong({ child }: RunningLockServer, meanwhile: () => void = () => {}): Promise<void> {
  child.kill('SIGSTOP');
  meanwhile();
  await systemClock.sleep(ttlMs + 1_500);
  child.kill('SIGCONT');
}

describe('a server stopped with SIGSTOP for longer than the TTL', { timeout: 180_000 }, () => {
  it.concurrent('revokes nobody and keeps all places', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('stopped server');
      const server = await startLockServer({ ttlMs });
      const { url } = server;
      const { holder, first, second, third, token } = await startLine(url, resource);
      const all = [holder, first, second, third];
      await stopForLong(server);
      // Each was heard again, so whatever the server had to say about the silence is said.
      for (const { sessionId } of all) {
        await soon(async () => expect(await silenceMs(url, sessionId)).toBeLessThan(ttlMs / 3));
      }
      expect(await lineUp(url, resource)).toEqual(['holder', 'first', 'second', 'third']);
      expect((await lockView(url, resource))?.holder?.token).toBe(token);
      expect(all.map(troubles)).toEqual([[], [], [], []]);
      await holder.release(resource);
      await Promise.all([first, second, third].map((waiter) => waiter.next('skip')));
    }));

  it.concurrent('still finds out that a node died meanwhile', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('stopped server and killed holder');
      const server = await startLockServer({ ttlMs });
      const { holder, first, second, token } = await startLine(server.url, resource);
      await stopForLong(server, () => {
        holder.child.kill('SIGKILL');
        second.child.kill('SIGKILL');
      });
      expect(await first.granted()).toBeGreaterThan(token);
      await soon(async () => expect(await lineUp(server.url, resource)).toEqual(['first', 'third']));
      expect(troubles(first)).toEqual([]);
    }));
});
