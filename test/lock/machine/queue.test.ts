import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Queue } from '../../../src/lock/machine/queue.ts';

const waiter = (key: string) => ({ key });

describe('a queue', () => {
  it('is in order of arrival, and knows everybody’s place', () => {
    const queue = new Queue<{ key: string }>();
    const [a, b, c] = [waiter('a'), waiter('b'), waiter('c')];
    for (const one of [a, b, c]) queue.add(one);
    expect([queue.positionOf(a), queue.positionOf(b), queue.positionOf(c)]).toEqual([1, 2, 3]);
    queue.remove(b);
    expect([queue.positionOf(a), queue.positionOf(b), queue.positionOf(c)]).toEqual([1, 0, 2]);
    queue.remove(a);
    expect(queue.head).toBe(c);
    expect(queue.get('c')).toBe(c);
    expect(queue.get('a')).toBeUndefined();
  });

  it('behaves like a plain list, whoever leaves when', () => {
    const change = fc.record({ key: fc.integer({ min: 0, max: 200 }), isLooked: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 600 }), (changes) => {
        const queue = new Queue<{ key: string }>();
        let list: { key: string }[] = [];
        for (const { key, isLooked } of changes) {
          const known = queue.get(String(key));
          if (known) {
            queue.remove(known);
            list = list.filter((one) => one !== known);
          } else {
            list.push(waiter(String(key)));
            for (const added of list.slice(-1)) queue.add(added);
          }
          expect(queue.head).toBe(list[0]);
          expect(queue.size).toBe(list.length);
          if (isLooked) expect(list.map((one) => queue.positionOf(one))).toEqual(list.map((_, i) => i + 1));
        }
        expect([...queue]).toEqual(list);
      }),
      { numRuns: 50 },
    );
  });

  it('can be put into another order', () => {
    const queue = new Queue<{ key: string }>();
    for (const key of ['c', 'a', 'b']) queue.add(waiter(key));
    queue.sort((one, other) => one.key.localeCompare(other.key));
    expect([...queue].map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect(queue.head?.key).toBe('a');
  });

  it('may lose waiters while somebody walks along it', () => {
    const queue = new Queue<{ key: string }>();
    const all = ['a', 'b', 'c'].map(waiter);
    for (const one of all) queue.add(one);
    const seen: string[] = [];
    for (const one of queue) {
      seen.push(one.key);
      for (const each of all) queue.remove(each);
    }
    expect(seen).toEqual(['a']);
  });
});
