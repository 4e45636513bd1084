import { Queue } from '../../../machine/queue.ts';
import { type Graph, tags } from './graph.ts';

/** The root, with all that it reaches. @throws Error where the data contradict one another */
export function readGraph(graph: Graph): object {
  return new Reader(graph).read();
}

type Keyed = { readonly key: string };

class Reader {
  readonly #graph: Graph;
  readonly #records: Record<string, unknown>[];
  /** Queues ask their waiters for their keys, so they are filled once all else is. */
  readonly #unfilled: (() => void)[] = [];
  #tag = 0;
  #number = 0;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#records = graph.records.map(() => ({}));
  }

  read(): object {
    const { records, shapes, numbers, tags: letters } = this.#graph;
    for (const [place, shape] of records.entries()) this.#fill(at(this.#records, place), at(shapes, shape));
    for (const fill of this.#unfilled) fill();
    if (this.#tag !== letters.length || this.#number !== numbers.length)
      throw new Error('values are left over');
    return at(this.#records, 0);
  }

  #fill(record: Record<string, unknown>, keys: readonly string[]): void {
    for (const key of keys) record[key] = this.#value();
  }

  #value(): unknown {
    const tag = this.#graph.tags.charCodeAt(this.#tag);
    this.#tag += 1;
    switch (tag) {
      case tags.number:
        return this.#next();
      case tags.string:
        return at(this.#graph.strings, this.#next());
      case tags.record:
        return at(this.#records, this.#next());
      case tags.map:
        return this.#map(this.#next());
      case tags.set:
        return new Set(this.#list());
      case tags.array:
        return this.#list();
      case tags.queue:
        return this.#queue(this.#list());
      default:
        return constantOf(tag);
    }
  }

  #next(): number {
    const number = at(this.#graph.numbers, this.#number);
    this.#number += 1;
    return number;
  }

  #map(size: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    for (let left = size; left > 0; left -= 1) map.set(this.#value(), this.#value());
    return map;
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    for (let left = this.#next(); left > 0; left -= 1) list.push(this.#value());
    return list;
  }

  #queue(waiters: readonly unknown[]): Queue<Keyed> {
    const queue = new Queue<Keyed>();
    if (waiters.length > 0)
      this.#unfilled.push(() => {
        for (const waiter of waiters) queue.add(waiter as Keyed);
      });
    return queue;
  }
}

function constantOf(tag: number): unknown {
  switch (tag) {
    case tags.true:
      return true;
    case tags.false:
      return false;
    case tags.undefined:
      return undefined;
    case tags.null:
      return null;
    case tags.infinity:
      return Number.POSITIVE_INFINITY;
    case tags.minusInfinity:
      return Number.NEGATIVE_INFINITY;
    case tags.minusZero:
      return -0;
    case tags.notANumber:
      return Number.NaN;
    default:
      throw new Error('a value is missing');
  }
}

function at<T>(all: readonly T[], place: number): T {
  const one = all[place];
  if (one === undefined) throw new Error('something is named that is not there');
  return one;
}
