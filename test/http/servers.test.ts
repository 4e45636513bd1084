import { describe, expect, it } from 'vitest';
import { createServers, shuffled } from '../../src/http/servers.ts';

const [a, b, c] = ['a', 'b', 'c'].map((name) => new URL(`http://${name}:1`)) as [URL, URL, URL];

describe('several servers', () => {
  it('are left one after the other, and the one that was left longest ago comes last', () => {
    const servers = createServers([a, b, c]);
    expect(servers.inOrder()).toEqual([a, b, c]);
    servers.leave(a);
    expect(servers.inOrder()).toEqual([b, c, a]);
    servers.leave(b);
    servers.leave(c);
    expect(servers.current()).toBe(a);
  });

  it('are left once, however many requests found out', () => {
    const servers = createServers([a, b, c]);
    let moves = 0;
    servers.onMove(() => {
      moves += 1;
    });
    servers.move(a, c);
    servers.leave(a);
    servers.move(a, b);
    servers.move(c, c);
    expect([servers.current(), moves]).toEqual([c, 1]);
  });

  it('have to give an answer anew once they were left', () => {
    const servers = createServers([a, b]);
    servers.answered(a);
    expect([servers.hasAnswered(a), servers.hasAnswered(b)]).toEqual([true, false]);
    servers.leave(a);
    expect(servers.hasAnswered(a)).toBe(false);
  });

  it('tell of a move until nobody listens any more', () => {
    const servers = createServers([a, b]);
    const seen: URL[] = [];
    const stop = servers.onMove(() => seen.push(servers.current()));
    servers.leave(a);
    stop();
    servers.leave(b);
    expect(seen).toEqual([b]);
  });

  it('count once that are named twice, and one alone is never left', () => {
    const servers = createServers([a, new URL(a)]);
    servers.leave(a);
    expect([servers.count, servers.current()]).toEqual([1, a]);
    expect(() => createServers([])).toThrow(TypeError);
  });
});

describe('an order that is left to chance', () => {
  it('has each of all orders about as often as the others', () => {
    let seed = 1;
    // A small generator of the kind that Lehmer described: the same numbers with each run.
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const counts = new Map<string, number>();
    for (let draw = 0; draw < 6_000; draw += 1) {
      const order = shuffled(['a', 'b', 'c'], random).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('has all of them, whatever is drawn', () => {
    for (const drawn of [0, 0.5, 0.999_999_999]) {
      expect([...shuffled([1, 2, 3, 4], () => drawn)].sort()).toEqual([1, 2, 3, 4]);
    }
  });
});
