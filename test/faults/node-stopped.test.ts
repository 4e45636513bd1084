import { beforeAll, describe, expect, it } from 'vitest';
import { withOwnCleanups } from '../support/cleanup.ts';
import { resourceNamed } from '../support/lock-client.ts';
import { lineUp, sendRaw, silenceMs } from '../support/lock-http.ts';
import { expectRising, handDown, startLine } from '../support/lock-line.ts';
import { startLockServer } from '../support/lock-servers.ts';
import { soon } from '../support/soon.ts';

let server = '';

beforeAll(async () => {
  server = (await startLockServer()).url;
});

describe('a node stopped with SIGSTOP, its connections open', { timeout: 180_000 }, () => {
  it.concurrent('that holds loses the lock after the TTL, hears of it when it goes on, and can end nothing', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('stopped holder');
      const { holder, first, token } = await startLine(server, resource);
      holder.child.kill('SIGSTOP');
      expect(await first.granted()).toBeGreaterThan(token);
      holder.child.kill('SIGCONT');
      await holder.next('revoked');
      await holder.release(resource);
      // It hears of its loss before its session is open again, and until then it is refused as unknown.
      await soon(async () => expect(await silenceMs(server, holder.sessionId)).toBeDefined());
      const late = { type: 'pull', resource_id: resource, node_id: 'holder', success: true, token };
      const reply = await sendRaw(server, 'POST', '/unlock', { ...late, session_id: holder.sessionId });
      expect(reply).toMatchObject({ status: 409, body: { released: false } });
      expect(await lineUp(server, resource)).toEqual(['first', 'second', 'third']);
    }));

  it.concurrent('that waits, for less than the TTL, keeps its place', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('shortly stopped waiter');
      const { url } = await startLockServer({ ttlMs: 9_000 });
      const { holder, first, second, token } = await startLine(url, resource);
      first.child.kill('SIGSTOP');
      // One heartbeat was missed, which alone must cost nothing.
      await soon(async () => expect(await silenceMs(url, first.sessionId)).toBeGreaterThan(3_500));
      first.child.kill('SIGCONT');
      await soon(async () => expect(await silenceMs(url, first.sessionId)).toBeLessThan(3_000));
      expect(await lineUp(url, resource)).toEqual(['holder', 'first', 'second', 'third']);
      expectRising([token, ...(await handDown(resource, [holder, first, second]))]);
    }));

  it.concurrent('that waits, for longer than the TTL, loses its place and queues at the tail again', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('long stopped waiter');
      const { holder, first, second, third, token } = await startLine(server, resource);
      first.child.kill('SIGSTOP');
      await soon(async () => expect(await lineUp(server, resource)).toEqual(['holder', 'second', 'third']));
      first.child.kill('SIGCONT');
      await soon(async () =>
        expect(await lineUp(server, resource)).toEqual(['holder', 'second', 'third', 'first']),
      );
      expectRising([token, ...(await handDown(resource, [holder, second, third, first]))]);
    }));
});
