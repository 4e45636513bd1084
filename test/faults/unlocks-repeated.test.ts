import { beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { resourceNamed } from '../support/lock-client.ts';
import { lockView, sendRaw } from '../support/lock-http.ts';
import { startLockServer } from '../support/lock-servers.ts';

let url = '';

beforeAll(async () => {
  url = (await startLockServer({ ttlMs: 30_000 })).url;
});

interface Unlock {
  readonly token?: number | undefined;
  readonly error?: string;
}

/** A session that speaks the protocol by hand. */
async function session(nodeId: string) {
  const opened = await sendRaw(url, 'POST', '/sessions', { node_id: nodeId });
  const { session_id } = opened.body as { session_id: string };
  const identity = (resource: Digest) => ({
    type: 'pull',
    resource_id: resource,
    node_id: nodeId,
    session_id,
  });
  return {
    lock: async (resource: Digest) => {
      const { body } = await sendRaw(url, 'POST', '/lock', identity(resource));
      return body as { acquired: boolean; token?: number };
    },
    unlock: (resource: Digest, { token, error = '' }: Unlock) =>
      sendRaw(url, 'POST', '/unlock', { ...identity(resource), token, error, success: error === '' }),
  };
}

const released = { status: 200, body: { released: true } };
const conflict = { status: 409, body: { released: false } };
const stranger = { status: 403, body: { released: false } };

/** Who holds with which token, and who waits: what a wrong unlock must not change. */
async function standing(resource: Digest) {
  const view = await lockView(url, resource);
  return [view?.holder?.nodeId, view?.holder?.token, view?.queue.map((waiter) => waiter.nodeId)];
}

/** One holds, two waits. */
async function pair(name: string) {
  const resource = resourceNamed(name);
  const [one, two] = [await session('one'), await session('two')];
  const { token } = await one.lock(resource);
  await two.lock(resource);
  return { resource, one, two, token };
}

describe('an unlock over the wire', () => {
  it('that comes twice is answered 200 twice and takes nothing from the next holder', async () => {
    const { resource, one, token } = await pair('twice');
    expect(await one.unlock(resource, { token, error: 'disk full' })).toMatchObject(released);
    const before = await standing(resource);
    expect(before).toEqual(['two', expect.any(Number), []]);
    expect(await one.unlock(resource, { token, error: 'disk full' })).toMatchObject(released);
    expect(await one.unlock(resource, { error: 'disk full' })).toMatchObject(released);
    expect(await standing(resource)).toEqual(before);
  });

  it('that comes again with the other outcome is a conflict, whichever way it flips', async () => {
    const failed = await pair('flipped to success');
    await failed.one.unlock(failed.resource, { token: failed.token, error: 'disk full' });
    const before = await standing(failed.resource);
    expect(await failed.one.unlock(failed.resource, { token: failed.token })).toMatchObject(conflict);
    expect(await standing(failed.resource)).toEqual(before);

    const done = await pair('flipped to failure');
    await done.one.unlock(done.resource, { token: done.token });
    const late = { token: done.token, error: 'disk full' };
    expect(await done.one.unlock(done.resource, late)).toMatchObject(conflict);
    expect(await done.two.lock(done.resource)).toMatchObject({ acquired: false, skip: true });
  });

  it('by a stranger, by a waiter, and by one that was never there is refused', async () => {
    const { resource, two, token } = await pair('stranger');
    const before = await standing(resource);
    const other = await session('other');
    expect(await two.unlock(resource, {})).toMatchObject(stranger);
    expect(await other.unlock(resource, {})).toMatchObject(stranger);
    expect(await other.unlock(resource, { token })).toMatchObject(stranger);
    const nobody = { type: 'pull', resource_id: resource, node_id: 'one', error: '', success: true };
    expect(await sendRaw(url, 'POST', '/unlock', nobody)).toMatchObject(stranger);
    expect(await standing(resource)).toEqual(before);
  });

  it('with a token that a later grant superseded is a conflict, also for the one who holds again', async () => {
    const { resource, one, two, token } = await pair('superseded');
    await one.unlock(resource, { token, error: 'disk full' });
    await one.lock(resource);
    const claimed = await two.lock(resource);
    await two.unlock(resource, { token: claimed.token, error: 'disk full' });
    const again = await one.lock(resource);
    const before = await standing(resource);
    expect(before).toEqual(['one', again.token, []]);
    expect(again.token).toBeGreaterThan(token ?? 0);
    expect(await one.unlock(resource, { token })).toMatchObject(conflict);
    expect(await two.unlock(resource, { token: claimed.token })).toMatchObject(conflict);
    expect(await standing(resource)).toEqual(before);
  });
});
