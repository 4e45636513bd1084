import { Agent } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { deferred } from '../../../src/core/abort.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { toSessionId } from '../../../src/core/ids.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { ask, layer, serve, stopServers } from './support.ts';

afterEach(stopServers);

const inQuestion = { type: 'pull', resource_id: layer, node_id: 'a' };

async function serveMemory() {
  const locks = createMemoryLocks({ clock: systemClock, recoveryMs: 0 });
  onCleanup(() => locks.close());
  const gone: string[] = [];
  const first = deferred<string>();
  const onNodeGone = (node: string) => {
    gone.push(node);
    first.resolve(node);
  };
  const { url } = await serve(locks, { onNodeGone });
  return { url, locks, gone, first: first.promise };
}

/** A client with one connection that it keeps. */
function keeping(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onCleanup(() => agent.destroy());
  return agent;
}

describe('the lock server', () => {
  it.each([
    ['POST', '/lock', inQuestion],
    ['POST', '/unlock', inQuestion],
    ['GET', '/lock/status', inQuestion],
    ['GET', `/lock/status?${new URLSearchParams(inQuestion)}`, undefined],
  ])('tells by %s %s whose connection it is', async (method, path, body) => {
    const { url, first } = await serveMemory();
    const agent = keeping();
    for (let time = 0; time < 2; time += 1)
      await ask(url, method, path, { agent, ...(body ? { body } : {}) });
    agent.destroy();
    expect(await first).toBe('a');
  });

  it('does not watch the connections of sessions and of those who only look', async () => {
    const { url, locks, gone, first } = await serveMemory();
    await locks.openSession({ nodeId: 'b' as never, sessionId: toSessionId('s') });
    const [session, other, last] = [keeping(), keeping(), keeping()];
    const body = { ...inQuestion, node_id: 'b', session_id: 's' };
    for (let time = 0; time < 2; time += 1) {
      expect((await ask(url, 'POST', '/lock', { agent: session, body })).status).toBe(200);
      await ask(url, 'GET', '/locks', { agent: other });
      await ask(url, 'POST', '/lock', { agent: other, body: { ...inQuestion, node_id: '' } });
      await ask(url, 'POST', '/lock', { agent: last, body: inQuestion });
    }
    session.destroy();
    other.destroy();
    // A round trip, after which the server knows that those two are closed.
    await ask(url, 'GET', '/healthz');
    last.destroy();
    expect(await first).toBe('a');
    expect(gone).toEqual(['a']);
  });

  it('says of nobody that he is gone when it stops itself', async () => {
    const { url, gone } = await serveMemory();
    const agent = keeping();
    for (let time = 0; time < 2; time += 1) await ask(url, 'POST', '/lock', { agent, body: inQuestion });
    await stopServers();
    agent.destroy();
    expect(gone).toEqual([]);
  });
});
