import { systemClock } from '../../../src/core/clock.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { type Crowd, domainOf, type Role } from './crowd.ts';
import type { RecordedClient } from './recorded-client.ts';

/** Milliseconds. Several clients that are gone may have to be waited for, one after the other. */
const patienceMs = 30_000;
const pollMs = 200;
const heartbeatMs = 500;

/**
 * When all went, somebody new gets every lock: nothing stays with the dead, and nobody waits for ever.
 * @throws Error naming what nobody gets any more
 */
export async function sweep(
  crowd: Crowd,
  roles: readonly Role[],
  resources: readonly Digest[],
): Promise<void> {
  const domains = new Map(roles.filter(({ hasSession }) => hasSession).map((role) => [domainOf(role), role]));
  await Promise.all(
    [...domains.values()].map((role) => sweepDomain(crowd, { ...role, name: 'last' }, resources)),
  );
}

async function sweepDomain(crowd: Crowd, role: Role, resources: readonly Digest[]): Promise<void> {
  const { client, close } = await crowd.connect(role);
  const done = new AbortController();
  try {
    await open(client);
    const beating = beat(client, done.signal);
    const taken = Promise.all(resources.map((resourceId) => take(client, resourceId)));
    await taken.finally(() => done.abort());
    await beating;
  } finally {
    await close();
  }
}

/** A service that was away until just now may not answer at once. */
async function open(client: RecordedClient): Promise<void> {
  const endMs = systemClock.now() + patienceMs;
  while ((await client.open()).kind !== 'answered') {
    if (systemClock.now() > endMs) throw new Error(`nobody can open a session in ${client.member.domain}`);
    await systemClock.sleep(pollMs);
  }
}

async function beat(client: RecordedClient, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await client.renew([]);
    await systemClock.sleep(heartbeatMs, signal).catch(() => {});
  }
}

/** A delete is neither skipped for what was done before, nor refused for what the content is. */
async function take(client: RecordedClient, resourceId: Digest): Promise<void> {
  const request = { type: 'delete', requestId: `last of ${resourceId}` } as const;
  const endMs = systemClock.now() + patienceMs;
  while (systemClock.now() < endMs) {
    const outcome = await client.acquire(resourceId, request);
    if (outcome.kind === 'unknown-session') await open(client);
    if (outcome.kind === 'answered' && outcome.reply.kind === 'skip') return;
    if (outcome.kind === 'answered' && outcome.reply.kind === 'granted') {
      const { token } = outcome.reply;
      return void (await client.release(resourceId, { type: 'delete', token, ended: 'node' }));
    }
    await systemClock.sleep(pollMs);
  }
  throw new Error(`nobody gets ${resourceId} in ${client.member.domain} any more`);
}
