import fc from 'fast-check';

/** Whose token a request carries: the current holder's, none, or one of long ago. */
export type TokenChoice = 'current' | 'none' | 'old';

/** Something that may happen, by number: the player knows who and what the numbers are. */
export type Action =
  | { readonly kind: 'open' | 'move' | 'close' | 'stream' | 'cut' | 'gone'; readonly who: number }
  | { readonly kind: 'acquire'; readonly who: number; readonly about: About; readonly force: boolean }
  | {
      readonly kind: 'release';
      readonly who: number;
      readonly about: About;
      readonly token: TokenChoice;
      readonly end: 'success' | 'node' | 'content';
    }
  | { readonly kind: 'decline'; readonly who: number; readonly about: About; readonly token: TokenChoice }
  | { readonly kind: 'status'; readonly who: number; readonly about: About }
  | { readonly kind: 'renew'; readonly who: number; readonly lies: readonly number[] }
  | { readonly kind: 'listen' | 'unlisten'; readonly about: About }
  | { readonly kind: 'pass' | 'stall'; readonly ms: number };

export interface About {
  readonly resource: number;
  readonly type: 'pull' | 'update' | 'delete';
}

const who = fc.nat({ max: 5 });
const about = fc.record<About>({
  resource: fc.nat({ max: 1 }),
  type: fc.constantFrom('pull', 'pull', 'pull', 'update', 'delete'),
});
const token = fc.constantFrom<TokenChoice>('current', 'current', 'none', 'old');
const ms = fc.constantFrom(1, 250, 1_000, 4_000, 11_000, 16_000, 61_000, 601_000);
const kind = <Kind extends string>(...kinds: Kind[]) => fc.constantFrom(...kinds);

const acquire = fc.record({ kind: kind('acquire'), who, about, force: fc.boolean() });
const release = fc.record({
  ...{ kind: kind('release'), who, about, token },
  end: kind('success', 'node', 'content'),
});
const renew = fc.record({ kind: kind('renew'), who, lies: fc.array(fc.nat({ max: 40 }), { maxLength: 2 }) });

/** Up to 80 things that happen one after the other; mostly requests for locks and their ends. */
export const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof<fc.Arbitrary<Action>[]>(
    acquire,
    acquire,
    acquire,
    release,
    release,
    renew,
    fc.record({ kind: kind('open', 'open', 'move', 'close', 'stream', 'cut', 'gone'), who }),
    fc.record({ kind: kind('decline'), who, about, token }),
    fc.record({ kind: kind('status'), who, about }),
    fc.record({ kind: kind('listen', 'unlisten'), about }),
    fc.record({ kind: kind('pass', 'pass', 'stall'), ms }),
  ),
  { maxLength: 80, size: 'max' },
);
