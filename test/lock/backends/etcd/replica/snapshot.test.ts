import { describe, expect, it } from 'vitest';
import { isLayerpullError } from '../../../../../src/core/errors.ts';
import { toNodeId, toSessionId } from '../../../../../src/core/ids.ts';
import type { ClusterCommand } from '../../../../../src/lock/backends/etcd/replica/cluster.ts';
import { readGraph } from '../../../../../src/lock/backends/etcd/replica/graph-read.ts';
import { writeGraph } from '../../../../../src/lock/backends/etcd/replica/graph-write.ts';
import {
  decodeCluster,
  encodeCluster,
  encodeInSlices,
} from '../../../../../src/lock/backends/etcd/replica/snapshot.ts';
import { machineOptions } from '../../../../../src/lock/machine/options.ts';
import { Queue } from '../../../../../src/lock/machine/queue.ts';
import { dump } from '../../../../properties/machine/dump.ts';
import { createStage } from './support.ts';

const options = machineOptions({ recoveryMs: 0 });

function throughJson(root: object): unknown {
  const writing = writeGraph(root);
  for (let next = writing.next(); ; next = writing.next())
    if (next.done) return readGraph(JSON.parse(JSON.stringify(next.value)));
}

describe('a graph', () => {
  it('keeps values that JSON has none for', () => {
    const root = {
      numbers: [0, -0, 1.5, -7, 2 ** 53, 1e300, Number.NaN, Infinity, -Infinity],
      others: [undefined, null, true, false, '', 'é\u0000\ud800"', []],
      absent: undefined,
    };
    expect(throughJson(root)).toStrictEqual(root);
  });

  it('keeps what is shared, what goes in circles, and what only looks the same', () => {
    const ending = { atMs: 1 };
    const lock = { last: ending, endings: new Map([['pull', ending]]), other: { atMs: 1 }, itself: {} };
    lock.itself = lock;
    const read = throughJson(lock) as typeof lock;
    expect(read).toStrictEqual(lock);
    expect(read.itself).toBe(read);
    expect(read.endings.get('pull')).toBe(read.last);
    expect(read.other).not.toBe(read.last);
  });

  it('keeps the order of maps, sets and fields, and records as keys', () => {
    const [one, two] = [{ name: 'one' }, { name: 'two' }];
    const root = {
      z: new Map([
        [two, 2],
        [one, 1],
      ]),
      a: new Set(['b', two, 'a', one]),
      order: [one, two],
    };
    const read = throughJson(root) as typeof root;
    expect(Object.keys(read)).toEqual(['z', 'a', 'order']);
    expect([...read.z]).toEqual([
      [two, 2],
      [one, 1],
    ]);
    expect([...read.a]).toEqual(['b', two, 'a', one]);
    expect([...read.z.keys()]).toEqual([read.order[1], read.order[0]]);
  });

  it('keeps a queue in its order, with waiters that know it', () => {
    interface Waiter {
      readonly queue: Queue<Waiter>;
      readonly key: string;
    }
    const queue = new Queue<Waiter>();
    const waiters = ['a', 'b', 'c', 'd', 'e'].map((key) => ({ queue, key }));
    for (const waiter of waiters) queue.add(waiter);
    for (const waiter of waiters.filter(({ key }) => key === 'a' || key === 'c')) queue.remove(waiter);
    // The waiter is named before the queue that it is in.
    const lock = { last: waiters[4], queue };
    const read = throughJson(lock) as { last: Waiter; queue: Queue<Waiter> };
    expect([...read.queue].map(({ key }) => key)).toEqual(['b', 'd', 'e']);
    expect(read.queue.positionOf(read.last)).toBe(3);
    expect(read.queue.get('e')).toBe(read.last);
  });

  it('is as deep as it likes', () => {
    let chain: object = {};
    for (let depth = 0; depth < 200_000; depth += 1) chain = { next: chain };
    let [left, read] = [0, throughJson(chain) as { next?: object }];
    for (; read.next; read = read.next) left += 1;
    expect(left).toBe(200_000);
  });

  it.each([[() => {}], [1n], [new Date(0)], [new WeakMap()]])('has no place for %o', (value) => {
    expect(() => throughJson({ value })).toThrow(TypeError);
  });
});

function busyStage() {
  const stage = createStage();
  const ids = ['a', 'b', 'c'].map((node, index) =>
    stage.open(index === 0 ? 'one' : 'two', node, { url: `http://${node}`, store: `store-${node}` }),
  );
  for (const node of ['a', 'b', 'c']) stage.acquire('one', node);
  for (const older of ['older-1', 'older-2']) stage.acquire('two', older);
  const [first] = ids;
  if (first) stage.write('two', { kind: 'stream-opened', sessionId: first });
  return stage;
}

describe('a snapshot', () => {
  it('is the same text again once it was read', () => {
    const { cluster } = busyStage();
    const text = encodeCluster(cluster);
    expect(encodeCluster(decodeCluster(text, options))).toBe(text);
    expect(dump(decodeCluster(text, options).machine)).toStrictEqual(dump(cluster.machine));
  });

  it('has the options of whoever reads it', () => {
    const { cluster } = busyStage();
    const other = machineOptions({ recoveryMs: 0, ttlMs: 33_333 });
    expect(encodeCluster(cluster)).not.toContain('graceMs');
    expect(decodeCluster(encodeCluster(cluster), other).machine.options).toBe(other);
  });

  it('is written in slices, between which something else can be done', () => {
    const { cluster, write } = createStage();
    const count = 20_000;
    const commands = Array.from({ length: count }, (_, index): ClusterCommand => {
      const request = { sessionId: toSessionId(`s-${index}`), nodeId: toNodeId('a') };
      return { kind: 'open-session', request, isReturning: false };
    });
    write('one', ...commands);
    const encoding = encodeInSlices(cluster);
    let slices = 0;
    for (let next = encoding.next(); !next.done; next = encoding.next()) slices += 1;
    expect(slices).toBeGreaterThan(count / 5_000);
  });

  it('of a queue of ten thousand is read as it was', () => {
    const { cluster, acquire } = createStage();
    for (let index = 0; index <= 10_000; index += 1) acquire('one', `older-${index}`);
    const text = encodeCluster(cluster);
    const read = decodeCluster(text, options);
    expect([...read.machine.timedPlaces].map(({ nodeId }) => nodeId)).toEqual(
      [...cluster.machine.timedPlaces].map(({ nodeId }) => nodeId),
    );
    expect(encodeCluster(read)).toBe(text);
  });

  const whole = () => JSON.parse(encodeCluster(busyStage().cluster));
  it.each<[string, () => string]>([
    ['no JSON', () => '{'],
    ['null', () => 'null'],
    ['another format', () => JSON.stringify({ ...whole(), format: 2 })],
    ['too few values', () => JSON.stringify({ ...whole(), tags: whole().tags.slice(0, -1) })],
    ['too many values', () => JSON.stringify({ ...whole(), tags: `${whole().tags}u` })],
    ['too few numbers', () => JSON.stringify({ ...whole(), numbers: whole().numbers.slice(1) })],
    ['too few records', () => JSON.stringify({ ...whole(), records: whole().records.slice(0, 3) })],
    ['a string that is not there', () => JSON.stringify({ ...whole(), strings: [] })],
    [
      'something else',
      () => JSON.stringify({ format: 1, shapes: [['a']], strings: [], records: [0], numbers: [], tags: 'u' }),
    ],
    [
      'nothing',
      () => JSON.stringify({ format: 1, shapes: [], strings: [], records: [], numbers: [], tags: '' }),
    ],
  ])('is refused where it is %s', (_, text) => {
    let thrown: unknown;
    try {
      decodeCluster(text(), options);
    } catch (error) {
      thrown = error;
    }
    expect(isLayerpullError(thrown) && thrown.code).toBe('data_unusable');
  });
});
