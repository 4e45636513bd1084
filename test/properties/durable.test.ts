import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordKey } from '../../src/lock/backends/durable/records.ts';
import { restoreState, type Stored } from '../../src/lock/backends/durable/restore.ts';
import { writesOf } from '../../src/lock/backends/durable/writes.ts';
import type { Change } from '../../src/lock/machine/changes.ts';
import type { MachineState } from '../../src/lock/machine/state.ts';
import { soakRuns } from '../support/soak.ts';
import { type Action, actions } from './machine/actions.ts';
import { createPlayer } from './machine/player.ts';

/** Records as a disk keeps them: text, and in the order of their keys. */
class PaperDisk {
  readonly #records = new Map<string, string>();

  write(state: MachineState, changes: Iterable<Change>): void {
    for (const { key, value } of writesOf(state, changes)) {
      if (value === undefined) this.#records.delete(JSON.stringify(key));
      else this.#records.set(JSON.stringify(key), JSON.stringify(value));
    }
  }

  records(): Stored[] {
    const all = [...this.#records].map(([key, value]) => ({
      key: JSON.parse(key),
      value: JSON.parse(value),
    }));
    return all.sort((one, other) => compareKeys(one.key, other.key));
  }
}

function compareKeys(one: RecordKey, other: RecordKey): number {
  const [first, second] = [[...one], [...other]];
  const at = first.findIndex((part, index) => part !== second[index]);
  const [a = 0, b = 0] = [first[at], second[at]];
  return a < b ? -1 : 1;
}

/** Everything as it stands, written at once. */
function writeAll(state: MachineState): Stored[] {
  const changes: Change[] = [];
  for (const id of state.sessions.keys()) changes.push({ kind: 'session', id });
  for (const lock of state.locks.values()) {
    changes.push({ kind: 'lock', lock });
    for (const waiter of lock.queue) changes.push({ kind: 'waiter', waiter });
    for (const token of lock.spent.keys()) changes.push({ kind: 'spent', lock, token });
    for (const key of lock.farewells.keys()) changes.push({ kind: 'farewell', lock, key });
  }
  const disk = new PaperDisk();
  disk.write(state, changes);
  return disk.records();
}

/** How far a holder is on is not written with each heartbeat: the next one tells it again. */
function comparable(records: readonly Stored[]): unknown {
  const text = JSON.stringify(records.filter(saysSomething));
  return JSON.parse(text.replace(/"offset":\d+,"total":\d+/g, '"offset":0,"total":0'));
}

/** The lock that a record belongs to. */
function lockOf(key: RecordKey): number | undefined {
  if (key[0] === 'waiter' || key[0] === 'farewell') return key[1];
  return key[0] === 'spent' ? key[2] : undefined;
}

/** Nor is a lock written that was only asked about. */
function saysSomething({ key, value }: Stored, _: number, all: readonly Stored[]): boolean {
  if (key[0] !== 'lock' || typeof value !== 'object' || value === null) return true;
  return 'holder' in value || all.some((other) => lockOf(other.key) === key[1]);
}

const queuesOf = (state: MachineState) =>
  [...state.locks.values()]
    .filter(({ queue }) => queue.size > 0)
    // While the service recovers a queue is not in its order yet.
    .map(({ key, queue }) => [
      key,
      [...queue].sort((a, b) => Math.sign(a.rank - b.rank || 0)).map((waiter) => waiter.key),
    ])
    .sort();

function playOnPaper(list: readonly Action[], recoveryMs: number) {
  const player = createPlayer(recoveryMs);
  const disk = new PaperDisk();
  let written = 0;
  for (const action of list) {
    player.act(action);
    for (const changes of player.changes.slice(written)) disk.write(player.state, changes);
    written = player.changes.length;
  }
  return { player, disk };
}

describe('what is written of the lock service', () => {
  it('step by step is all that there is to write', () => {
    fc.assert(
      fc.property(actions, fc.constantFrom(0, 3_000), (list, recoveryMs) => {
        const { player, disk } = playOnPaper(list, recoveryMs);
        expect(comparable(disk.records())).toEqual(comparable(writeAll(player.state)));
      }),
      soakRuns(0.5),
    );
  });

  it('brings back the same state when it is read', () => {
    fc.assert(
      fc.property(actions, fc.constantFrom(0, 3_000), (list, recoveryMs) => {
        const { player, disk } = playOnPaper(list, recoveryMs);
        const restored = restoreState(player.state.options, disk.records(), player.now());
        expect(comparable(writeAll(restored))).toEqual(comparable(disk.records()));
        expect(queuesOf(restored)).toEqual(queuesOf(player.state));
        for (const [id, { holds, places }] of player.state.sessions) {
          const again = restored.sessions.get(id);
          expect([again?.holds.size, again?.places.size]).toEqual([holds.size, places.size]);
        }
      }),
      soakRuns(0.5),
    );
  });
});
