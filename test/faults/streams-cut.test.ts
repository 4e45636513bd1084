import { expect, it } from 'vitest';
import { startCrowd } from '../support/crowd.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { resourceNamed } from '../support/lock-client.ts';
import { lineUp, lockView, sendRaw } from '../support/lock-http.ts';
import { startLockServer } from '../support/lock-servers.ts';

const count = 300;
const resource = resourceNamed('a layer that all want');
const everyone = Array.from({ length: count }, (_, index) => `node-${index}`);
const places = everyone.map((_, index) => index);

it('a storm of 300 sessions whose streams break at once all come back, and nobody loses a place', {
  timeout: 240_000,
}, async () => {
  const { url } = await startLockServer({ ttlMs: 45_000 });
  const proxy = await startFaultProxy(url);
  const crowd = await startCrowd({ server: proxy.url, count, resource, heartbeatMs: 5_000 });
  expect(await crowd.next('up')).toEqual({ kind: 'up', round: 1, places });

  for (const round of [2, 3, 4]) {
    expect(proxy.cut()).toBeGreaterThanOrEqual(count);
    const back = crowd.next('up');
    const [all, answers] = await Promise.all([back, askUntil(url, back)]);
    expect(all).toEqual({ kind: 'up', round, places });
    expect(answers).toBeGreaterThan(0);
    expect(await lineUp(url, resource)).toEqual(everyone);
  }

  const holder = (await lockView(url, resource))?.holder;
  const release = { type: 'pull', resource_id: resource, node_id: 'node-0', error: '', success: true };
  const identity = { session_id: holder?.sessionId, token: holder?.token };
  expect(await sendRaw(url, 'POST', '/unlock', { ...release, ...identity })).toMatchObject({ status: 200 });
  expect(await crowd.next('completed')).toEqual({ kind: 'completed', count: count - 1 });
  expect(crowd.lines().filter(({ kind }) => kind === 'wrong')).toEqual([]);
});

/** Asks for the status of the layer, over and over until `end`: each answer tells of all places. Answers how often. */
async function askUntil(url: string, end: Promise<unknown>): Promise<number> {
  let isOver = false;
  let answers = 0;
  const over = end.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const reply = await sendRaw(
      url,
      'GET',
      `/lock/status?type=pull&resource_id=${resource}&node_id=somebody`,
    );
    expect(reply.status).toBe(200);
    expect(await lineUp(url, resource)).toEqual(everyone);
    answers += 1;
  }
  await over;
  return answers;
}
