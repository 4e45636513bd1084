/**
 * A graph of records, with what they share and what goes in circles as it is, as plain data. Kept flat, so no chain is
 * too long for it. The fields of records are primitives, records, and containers: arrays, maps, sets and queues, each of
 * which belongs to one field alone.
 *
 * Records are numbered in the order in which they are first named; 0 is the root. `records` has the shape of each. Their
 * values follow one another: one letter each in `tags`, and in `numbers` the number itself, the place of a string in
 * `strings`, the number of a record, or the size of a container, whose values (of a map keys and values in turn) come
 * next. Other letters have no number.
 */
export interface Graph {
  readonly format: typeof graphFormat;
  /** Names of the fields of each shape of record. */
  readonly shapes: readonly (readonly string[])[];
  readonly strings: readonly string[];
  readonly records: readonly number[];
  readonly numbers: readonly number[];
  readonly tags: string;
}

export const graphFormat = 1;

const code = (letter: string) => letter.charCodeAt(0);

/** Letters of `tags`, as their codes. */
export const tags = {
  number: code('n'),
  string: code('s'),
  record: code('r'),
  map: code('M'),
  set: code('S'),
  array: code('A'),
  queue: code('Q'),
  true: code('t'),
  false: code('f'),
  undefined: code('u'),
  null: code('0'),
  infinity: code('+'),
  minusInfinity: code('-'),
  minusZero: code('z'),
  notANumber: code('x'),
} as const;
