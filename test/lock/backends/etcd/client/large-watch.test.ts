import { describe, expect, it } from 'vitest';
import { Keys } from '../../../../../src/lock/backends/etcd/client/keys.ts';
import type { EventMessage } from '../../../../../src/lock/backends/etcd/client/messages.ts';
import { WholeRevisions } from '../../../../../src/lock/backends/etcd/client/whole-revisions.ts';
import { describeWith } from '../../../../support/components.ts';
import { etcdStage } from '../../../../support/etcd-stage.ts';
import { startWatch } from '../../../../support/etcd-watch.ts';

describeWith(['etcd'], 'a watch of much at once', () => {
  it('tells each revision as a whole, however large what happened since is', async () => {
    const { etcd } = await etcdStage();
    const value = Buffer.alloc(60_000, 'x');
    const revisions: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      const success = Array.from(
        { length: 20 },
        (_, index) => ({ kind: 'put', key: `k/${index}`, value }) as const,
      );
      revisions.push((await etcd.transact({ compare: [], success })).revision);
    }
    const watch = startWatch(etcd, 'k/', revisions[0] ?? 0);
    const told: number[] = [];
    for (let last = 0; last < (revisions.at(-1) ?? 0); ) {
      const batch = await watch.next();
      if (!batch) throw new Error('the watch ended');
      const ofPuts = batch.changes.flatMap((change) =>
        change.kind === 'put' ? [change.entry.modRevision] : [],
      );
      told.push(...ofPuts);
      last = batch.revision;
      expect(ofPuts.filter((revision) => revision === last)).toHaveLength(
        batch.changes.length === 0 ? 0 : 20,
      );
    }
    expect(told).toEqual(revisions.flatMap((revision) => Array(20).fill(revision)));
  });
});

describe('revisions that etcd cuts over several replies', () => {
  const event = (modRevision: number, name: string): EventMessage => ({
    type: 'PUT',
    kv: { key: Buffer.from(`p/${name}`), value: Buffer.alloc(0), createRevision: modRevision, modRevision },
  });
  const toldOf = (revisions: WholeRevisions, events: EventMessage[], fragment: boolean) => {
    const told = revisions.add({ ...reply, events, fragment });
    return told?.changes.map((change) => (change.kind === 'put' ? change.entry.key : change.key));
  };
  const reply = {
    header: { revision: 9 },
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
  };

  it('are told when their last change has come', () => {
    const revisions = new WholeRevisions(new Keys('p/'));
    expect(toldOf(revisions, [event(1, 'a'), event(2, 'b')], true)).toEqual(['a']);
    expect(toldOf(revisions, [event(2, 'c')], true)).toBeUndefined();
    expect(toldOf(revisions, [event(2, 'd'), event(3, 'e')], true)).toEqual(['b', 'c', 'd']);
    expect(toldOf(revisions, [event(3, 'f')], false)).toEqual(['e', 'f']);
    expect(toldOf(revisions, [], false)).toBeUndefined();
  });
});
