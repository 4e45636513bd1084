import { expect, it } from 'vitest';
import type { Digest } from '../../../../src/core/digest.ts';
import type { AcquireReply, Locks, Source } from '../../../../src/lock/locks.ts';
import { describeWith } from '../../../support/components.ts';
import { startEtcd } from '../../../support/etcd.ts';
import { startEtcdLockServers } from '../../../support/etcd-lock-servers.ts';
import { resourceNamed } from '../../../support/lock-client.ts';
import { clientAt, type LockUser, lockUser, tokenOf } from '../../../support/lock-users.ts';

const rounds = 20;

/** Where it is told to read in the end: when it is to wait, where it was told first. */
async function sourceOf(
  at: Locks,
  { sessionId }: LockUser,
  resourceId: Digest,
  granted: AcquireReply,
): Promise<Source> {
  if (granted.kind !== 'granted') throw new Error(`expected a grant, not ${granted.kind}`);
  const { token, source } = granted;
  const reply = await at.sources({ sessionId, resourceId, token, offset: 0 });
  if (reply.kind === 'not-holder') throw new Error(reply.message);
  return reply.kind === 'source' ? reply.source : source;
}

describeWith(['etcd'], 'three lock servers that three stores ask for one layer at the same time', () => {
  it('send exactly one of them to the registry, and the others to it', async () => {
    const { address } = await startEtcd();
    const servers = await startEtcdLockServers(3, { addresses: [address], yieldMs: 0 });
    const ways = servers.map(({ url }) => clientAt(url));
    const users = ways.map((at, index) => {
      const user = lockUser(`${index}`, { store: `store-${index}`, url: `http://10.0.0.${index}:7041` });
      return { at, user };
    });
    for (const { at, user } of users) await user.open(at);
    for (let round = 0; round < rounds; round += 1) {
      const layer = resourceNamed(`layer ${round}`);
      const replies = await Promise.all(users.map(({ at, user }) => user.acquire(at, layer)));
      const tokens = replies.map(tokenOf);
      expect(new Set(tokens).size).toBe(3);
      const sources = await Promise.all(
        users.map(({ user }, index) => {
          const reply = replies[index];
          const elsewhere = ways[(index + round) % 3] ?? ways[0];
          if (!elsewhere || !reply) throw new Error('there are three of each');
          return sourceOf(elsewhere, user, layer, reply);
        }),
      );
      const kinds = sources.map(({ kind }) => kind).sort();
      expect(kinds, `round ${round}`).toEqual(['peer', 'peer', 'registry']);
      const origin = users[sources.findIndex(({ kind }) => kind === 'registry')]?.user.sessionId;
      const parents = sources.flatMap((source) => (source.kind === 'peer' ? [source.sessionId] : []));
      expect(parents, `round ${round}`).toContain(origin);
      for (const [index, { at, user }] of users.entries())
        expect(await user.release(at, layer, tokens[index] ?? 0)).toMatchObject({ kind: 'released' });
    }
  });
});
