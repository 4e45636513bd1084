import { formatTable } from '../table.ts';

/** One measured value beside what it should be and what somebody else reaches. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** How a value of this figure is written. */
  format(value: number): string;
  readonly aim?: Aim;
  readonly peer?: Peer;
}

/** Where the value should stay. A `strict` bound itself is missed. */
export type Aim =
  | { readonly kind: 'below' | 'at-most' | 'at-least'; readonly bound: number }
  | { readonly kind: 'ahead-of-peer'; readonly bound: number };

/** What the value is compared with: who, and what it reached; undefined where it cannot be had. */
export interface Peer {
  readonly name: string;
  readonly value: number | undefined;
}
