import { describe, expect, it } from 'vitest';
import { type Deferred, deferred } from '../../../../src/core/abort.ts';
import { toSessionId } from '../../../../src/core/ids.ts';
import { GroupJournal } from '../../../../src/lock/backends/durable/journal.ts';
import type { Change } from '../../../../src/lock/machine/changes.ts';
import { settle } from '../../../support/fake-clock.ts';

const changed = (...names: string[]): Change[] =>
  names.map((name) => ({ kind: 'session', id: toSessionId(name) }));

/** A journal on a disk that is as slow as the test wants. */
function openJournal() {
  const commits: { readonly names: string[]; readonly done: Deferred<void> }[] = [];
  const told: string[] = [];
  const failures: unknown[] = [];
  let closed = 0;
  const journal = new GroupJournal({
    commit: (changes) => {
      const done = deferred<void>();
      commits.push({ names: changes.map((change) => (change.kind === 'session' ? change.id : '')), done });
      return done.promise;
    },
    onFailure: (error) => failures.push(error),
    onClose: async () => {
      closed += 1;
    },
  });
  const add = (name: string, changes = changed(name)) => journal.add(changes, () => told.push(name));
  const finish = async (index: number) => {
    commits[index]?.done.resolve();
    await settle();
  };
  return { journal, commits, told, failures, add, finish, closedTimes: () => closed };
}

describe('the journal', () => {
  it('tells at once what changes nothing while nothing is under way', () => {
    const { journal, add, told } = openJournal();
    add('read', []);
    expect(told).toEqual(['read']);
    expect(journal.kept()).toBeUndefined();
  });

  it('tells nothing before it is kept, and nothing that came later before that', async () => {
    const { journal, add, told, finish } = openJournal();
    add('one');
    add('read', []);
    let answered = false;
    void journal.kept()?.then(() => {
      answered = true;
    });
    await settle();
    expect([told, answered]).toEqual([[], false]);
    await finish(0);
    expect([told, answered]).toEqual([['one', 'read'], true]);
    expect(journal.kept()).toBeUndefined();
  });

  it('writes what came during a commit as one', async () => {
    const { commits, add, told, finish } = openJournal();
    add('one');
    await settle();
    for (const name of ['two', 'three', 'four']) add(name);
    expect(commits.map(({ names }) => names)).toEqual([['one']]);
    await finish(0);
    expect(commits.map(({ names }) => names)).toEqual([['one'], ['two', 'three', 'four']]);
    expect(told).toEqual(['one']);
    await finish(1);
    expect(told).toEqual(['one', 'two', 'three', 'four']);
  });

  it('answers nobody once a commit failed, and says so once', async () => {
    const { journal, commits, add, told, failures } = openJournal();
    add('one');
    await settle();
    add('two');
    const waiting = journal.kept();
    commits[0]?.done.reject(new Error('no space'));
    await expect(waiting).rejects.toThrow('no space');
    add('three');
    await expect(journal.kept()).rejects.toThrow('no space');
    expect([told, failures.length, commits.length]).toEqual([[], 1, 1]);
  });

  it('closes once, after the last commit, and takes nothing from then on', async () => {
    const { journal, add, told, finish, closedTimes } = openJournal();
    add('one');
    await settle();
    const closing = [journal.close(), journal.close()];
    await settle();
    expect(closedTimes()).toBe(0);
    await finish(0);
    await Promise.all(closing);
    add('two');
    expect([told, closedTimes()]).toEqual([['one'], 1]);
  });
});
