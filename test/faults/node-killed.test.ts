import { beforeAll, describe, expect, it } from 'vitest';
import { withOwnCleanups } from '../support/cleanup.ts';
import { resourceNamed } from '../support/lock-client.ts';
import { lineUp } from '../support/lock-http.ts';
import { expectRising, handDown, startLine } from '../support/lock-line.ts';
import { startLockServer } from '../support/lock-servers.ts';

let server = '';

beforeAll(async () => {
  server = (await startLockServer()).url;
});

describe('a node killed with SIGKILL', { timeout: 180_000 }, () => {
  it.concurrent('that holds gives way to the head of the queue, with a higher token', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('killed holder');
      const { holder, first, token } = await startLine(server, resource);
      holder.child.kill('SIGKILL');
      expect(await first.granted()).toBeGreaterThan(token);
      expect(await lineUp(server, resource)).toEqual(['first', 'second', 'third']);
    }));

  it.concurrent('that waits in the middle lets the queue close up behind it', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('killed waiter');
      const { holder, first, second, third, token } = await startLine(server, resource);
      second.child.kill('SIGKILL');
      expect((await third.next('moved')).position).toBe(2);
      expect(await lineUp(server, resource)).toEqual(['holder', 'first', 'third']);
      expectRising([token, ...(await handDown(resource, [holder, first, third]))]);
    }));

  it.concurrent('that is next when the holder releases does not keep the lock from the one behind it', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('killed head');
      const { holder, first, second, token } = await startLine(server, resource);
      first.child.kill('SIGKILL');
      await holder.release(resource, 'disk full');
      expect(await second.granted()).toBeGreaterThan(token);
      expect(await lineUp(server, resource)).toEqual(['second', 'third']);
    }));

  it.concurrent('that holds all bytes but did not say that it is done counts as failed', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('killed before its release');
      const { holder, first, second } = await startLine(server, resource);
      holder.send({ do: 'progress', resource, offset: 1_000_000 });
      await holder.next('reported');
      holder.child.kill('SIGKILL');
      await first.granted();
      await first.release(resource);
      await second.next('skip');
    }));
});
