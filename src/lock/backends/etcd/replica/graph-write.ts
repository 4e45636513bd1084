import { Queue } from '../../../machine/queue.ts';
import { type Graph, graphFormat, tags } from './graph.ts';
import { Shapes } from './shapes.ts';

/** Records that are written at a time: some milliseconds. */
const slice = 5_000;

/**
 * All that is reachable from `root`. Yields every few milliseconds, so that something else can be done; the graph must
 * not change until the end. @throws TypeError for what is no record, container or primitive
 */
export function* writeGraph(root: object): Generator<undefined, Graph> {
  const writer = new Writer(root);
  while (writer.write(slice)) yield;
  return writer.graph();
}

class Writer {
  readonly #named: object[] = [];
  readonly #places = new Map<object, number>();
  readonly #strings = new Map<string, number>();
  readonly #shapes = new Shapes();
  readonly #records: number[] = [];
  readonly #numbers: number[] = [];
  #tags = Buffer.allocUnsafe(2 ** 16);
  #tagged = 0;

  constructor(root: object) {
    this.#placeOf(root);
  }

  /** Writes the next records: more are named on the way, and come in turn. False when there are none left. */
  write(count: number): boolean {
    const until = this.#records.length + count;
    while (this.#records.length < until) {
      const record = this.#named[this.#records.length];
      if (!record) return false;
      this.#fields(record as Readonly<Record<string, unknown>>);
    }
    return true;
  }

  graph(): Graph {
    const [records, numbers] = [this.#records, this.#numbers];
    const letters = this.#tags.toString('latin1', 0, this.#tagged);
    const strings = [...this.#strings.keys()];
    return { format: graphFormat, shapes: this.#shapes.all, strings, records, numbers, tags: letters };
  }

  #fields(record: Readonly<Record<string, unknown>>): void {
    const keys = Object.keys(record);
    this.#records.push(this.#shapes.placeOf(keys));
    for (const key of keys) this.#value(record[key]);
  }

  #value(value: unknown): void {
    if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#tag(tags.string, this.#stringOf(value));
    else if (typeof value === 'object' && value !== null) this.#object(value);
    else this.#tag(constantOf(value));
  }

  #number(value: number): void {
    if (Number.isFinite(value) && !Object.is(value, -0)) this.#tag(tags.number, value);
    else this.#tag(strangeOf(value));
  }

  /** By its prototype: `instanceof` costs much where most are records. */
  #object(value: object): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) this.#tag(tags.record, this.#placeOf(value));
    else if (value instanceof Map) this.#map(value);
    else if (value instanceof Set) this.#list(tags.set, value.size, value);
    else if (value instanceof Queue) this.#list(tags.queue, value.size, value);
    else if (Array.isArray(value)) this.#list(tags.array, value.length, value);
    else throw new TypeError('there is something that is no record, container or primitive');
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    this.#tag(tags.map, map.size);
    for (const [key, value] of map) {
      this.#value(key);
      this.#value(value);
    }
  }

  #list(tag: number, size: number, values: Iterable<unknown>): void {
    this.#tag(tag, size);
    if (size > 0) for (const value of values) this.#value(value);
  }

  #tag(tag: number, value?: number): void {
    if (this.#tagged === this.#tags.length)
      this.#tags = Buffer.concat([this.#tags, Buffer.allocUnsafe(this.#tagged)]);
    this.#tags[this.#tagged] = tag;
    this.#tagged += 1;
    if (value !== undefined) this.#numbers.push(value);
  }

  #placeOf(record: object): number {
    const known = this.#places.get(record);
    if (known !== undefined) return known;
    const place = this.#named.push(record) - 1;
    this.#places.set(record, place);
    return place;
  }

  #stringOf(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const place = this.#strings.size;
    this.#strings.set(text, place);
    return place;
  }
}

function constantOf(value: unknown): number {
  if (value === undefined) return tags.undefined;
  if (value === null) return tags.null;
  if (typeof value !== 'boolean') throw new TypeError(`there is a ${typeof value}`);
  return value ? tags.true : tags.false;
}

/** Numbers that JSON has none for. */
function strangeOf(value: number): number {
  if (value === 0) return tags.minusZero;
  if (Number.isNaN(value)) return tags.notANumber;
  return value > 0 ? tags.infinity : tags.minusInfinity;
}
