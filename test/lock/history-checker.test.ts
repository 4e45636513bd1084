import { describe, expect, it } from 'vitest';
import { checkResource } from '../support/history/checker.ts';
import {
  acquire,
  close,
  decline,
  granted,
  holds,
  type Line,
  nothing,
  open,
  queued,
  refused,
  release,
  renew,
  skip,
  told,
  unknownSession,
  type WrittenMore,
  waits,
  written,
  writtenTimes,
} from '../support/history/written.ts';

function check(lines: readonly Line[], more: WrittenMore = {}) {
  return checkResource(written(lines, more), { times: writtenTimes });
}

/** A holds the lock, b and c wait behind it. */
const line: readonly Line[] = [
  acquire('a', [10, 11], granted(1)),
  acquire('b', [20, 21], queued(1, 'a')),
  acquire('c', [30, 31], queued(2, 'a')),
];

const good: Record<string, [readonly Line[], WrittenMore?]> = {
  'nothing at all': [[]],
  'a hand-over in order': [
    [
      ...line,
      release('a', [40, 41], 'released', 1, 'node'),
      told('b', [5, 50], { kind: 'granted', type: 'pull', token: 2 }),
      acquire('b', [51, 52], granted(2)),
      acquire('c', [53, 54], queued(1, 'b')),
      release('b', [60, 61], 'released', 2, 'node'),
      acquire('c', [62, 63], granted(5)),
    ],
  ],
  'requests under way together, answered in the other order': [
    [
      acquire('a', [10, 11], granted(1)),
      acquire('b', [20, 29], queued(2, 'a')),
      acquire('c', [21, 28], queued(1, 'a')),
    ],
  ],
  'a skip for those who waited and for those who come later': [
    [
      ...line,
      release('a', [40, 41], 'released', 1),
      told('b', [5, 45], { kind: 'completed', type: 'pull' }),
      acquire('b', [50, 51], skip),
      acquire('c', [52, 53], skip),
      acquire('d', [54, 55], skip),
      acquire('d', [56, 57], granted(2), { force: true }),
    ],
  ],
  'a success whose answer was lost': [
    [...line, release('a', 40, undefined, 1), acquire('b', [50, 51], skip)],
  ],
  'a release that was lost on the way, and came when it was repeated': [
    [
      ...line,
      release('a', 40, undefined, 1, 'node'),
      renew('a', [50, 51], [1], holds(1)),
      release('a', [60, 61], 'released', 1, 'node'),
      acquire('b', [70, 71], granted(2)),
    ],
  ],
  'a release that took effect long after its client gave up': [
    [
      ...line,
      release('a', 40, undefined, 1, 'node'),
      acquire('b', [50, 51], queued(1, 'a')),
      acquire('b', [900, 901], granted(2)),
    ],
  ],
  'a release that comes twice': [
    [...line, release('a', [40, 41], 'released', 1, 'node'), release('a', [50, 51], 'released', 1, 'node')],
  ],
  'a flipped release and a stranger, both refused': [
    [
      ...line,
      release('b', [35, 36], 'not-holder', undefined),
      release('a', [40, 41], 'released', 1, 'node'),
      release('a', [50, 51], 'conflict', 1, 'success'),
    ],
  ],
  'a delete that undoes the pull': [
    [
      acquire('a', [10, 11], granted(1)),
      release('a', [20, 21], 'released', 1),
      acquire('b', [30, 31], granted(2), { type: 'delete' }),
      acquire('c', [32, 33], skip, { type: 'pull' }),
      acquire('d', [34, 35], queued(1, 'b'), { type: 'delete' }),
      release('b', [40, 41], 'released', 2, 'success', 'delete'),
      acquire('d', [50, 51], skip, { type: 'delete' }),
      acquire('c', [60, 61], granted(3)),
    ],
  ],
  'a content that fails twice': [
    [
      ...line,
      release('a', [40, 41], 'released', 1, 'content'),
      told('b', [5, 45], { kind: 'failed', type: 'pull' }),
      acquire('b', [50, 51], granted(2)),
      release('b', [60, 61], 'released', 2, 'content'),
      acquire('c', [70, 71], refused),
    ],
  ],
  'a holder that was silent for longer than its session lasts': [
    [
      ...line,
      renew('b', [10_000, 10_001], [], waits(1, 'a')),
      acquire('b', [16_000, 16_001], granted(2)),
      renew('a', [17_000, 17_001], [1], unknownSession),
      open('a', [17_010, 17_011]),
      renew('a', [17_020, 17_021], [1], nothing),
      told('a', [17_015, 17_030], { kind: 'revoked', type: 'pull', token: 1 }),
    ],
  ],
  'a holder whose stream broke': [
    [...line, acquire('b', [6_000, 6_001], granted(2))],
    { cuts: { a: [900] } },
  ],
  'a grant that nobody claimed': [
    [
      ...line,
      release('a', [40, 41], 'released', 1, 'node'),
      renew('b', [5_000, 5_001], [], holds(2)),
      acquire('c', [10_100, 10_101], granted(3)),
      acquire('b', [10_200, 10_201], queued(1, 'c')),
    ],
  ],
  'a place given up, and a grant given back': [
    [
      ...line,
      decline('b', [40, 41], 'released'),
      decline('a', [50, 51], 'released', 1),
      acquire('c', [60, 61], granted(2)),
      acquire('b', [70, 71], queued(1, 'c')),
    ],
  ],
  'a session that was closed': [[...line, close('a', [40, 41]), acquire('b', [50, 51], granted(2))]],
  'clients without a session, of which one was cut off': [
    [
      acquire('A', [10, 11], granted(1)),
      acquire('B', [20, 21], queued(1, 'A')),
      acquire('B', [14_000, 14_001], queued(1, 'A')),
      acquire('B', [28_000, 28_001], queued(1, 'A')),
      acquire('B', [30_100, 30_101], granted(2)),
    ],
    { cuts: { A: [50] } },
  ],
};

const bad: Record<string, [readonly Line[], RegExp, WrittenMore?]> = {
  'two holders': [
    [acquire('a', [10, 11], granted(1)), acquire('b', [20, 21], granted(2))],
    /#4 session b: acquire pull .* -> granted under 2 .*\n.*held by session a .*: expected queued at 1 behind session a/,
  ],
  'two holders after a lost answer': [
    [acquire('a', 10), acquire('b', [20, 21], granted(1)), renew('a', [30, 31], [], holds(2))],
    /session a: renew -> pull held under 2 .*\n.*held by session b/,
  ],
  'a token that comes twice': [
    [...line, release('a', [40, 41], 'released', 1, 'node'), acquire('b', [50, 51], granted(1))],
    /session b: acquire pull .* -> granted under 1 .*\n.*granted under a new token/,
  ],
  'a token that falls': [
    [
      acquire('a', [10, 11], granted(7)),
      release('a', [20, 21], 'released', 7, 'node'),
      acquire('b', [30, 31], granted(6)),
    ],
    /granted under 6/,
  ],
  'one that overtakes in the queue': [
    [...line, release('a', [40, 41], 'released', 1, 'node'), acquire('c', [50, 51], granted(2))],
    /session c: acquire pull .* -> granted under 2 .*\n.*held by session b .*waiting: session c .*: expected queued at 1/,
  ],
  'a position that ignores who came before': [
    [acquire('a', [10, 11], granted(1)), acquire('b', [20, 21], queued(2, 'a'))],
    /expected queued at 1 behind session a, not queued at 2/,
  ],
  'a skip without a success': [
    [
      acquire('a', [10, 11], granted(1)),
      release('a', [20, 21], 'released', 1, 'node'),
      acquire('b', [30, 31], skip),
    ],
    /session b: acquire pull .* -> skip .*\n.*held by nobody: expected granted/,
  ],
  'a skip after a delete': [
    [
      acquire('a', [10, 11], granted(1)),
      release('a', [20, 21], 'released', 1),
      acquire('b', [30, 31], granted(2), { type: 'delete' }),
      release('b', [40, 41], 'released', 2, 'success', 'delete'),
      acquire('c', [50, 51], skip),
    ],
    /session c: .* -> skip/,
  ],
  'a skip after the record expired': [
    [
      acquire('A', [10, 11], granted(1)),
      release('A', [20, 21], 'released', 1),
      acquire('B', [700_000, 700_001], skip),
    ],
    /node B: .* -> skip/,
  ],
  'a success of an update that skips pulls': [
    [
      acquire('a', [10, 11], granted(1), { type: 'update' }),
      release('a', [20, 21], 'released', 1, 'success', 'update'),
      acquire('b', [30, 31], skip),
    ],
    /session b: .* -> skip/,
  ],
  'a pull that is done twice': [
    [
      acquire('a', [10, 11], granted(1)),
      release('a', [20, 21], 'released', 1),
      acquire('b', [30, 31], granted(2)),
    ],
    /session b: .* -> granted under 2 .*\n.*pulled before: expected skip/,
  ],
  'a release by a stranger that is acknowledged': [
    [...line, release('b', [40, 41], 'released', 1)],
    /session b: release pull under 1 as success -> released .*\n.*held by session a .*: expected not-holder, not released/,
  ],
  'a flipped outcome that is acknowledged': [
    [
      ...line,
      release('a', [40, 41], 'released', 1, 'node'),
      release('a', [50, 51], 'released', 1, 'success'),
    ],
    /as success -> released .*\n.*expected conflict/,
  ],
  'a release of the holder that is refused': [
    [...line, release('a', [40, 41], 'not-holder', 1)],
    /expected released, not not-holder/,
  ],
  'a hold lost without a reason': [
    [...line, renew('a', [5_000, 5_001], [1], holds(1)), acquire('b', [9_000, 9_001], granted(2))],
    /session b: .* -> granted under 2 .*\n.*held by session a/,
  ],
  'a place lost without a reason': [
    [...line, renew('b', [5_000, 5_001], [], nothing)],
    /session b: renew -> nothing .*\n.*expected pull queued at 1/,
  ],
  'a grant that passes on before its time': [
    [
      ...line,
      release('a', [40, 41], 'released', 1, 'node'),
      renew('b', [5_000, 5_001], [], holds(2)),
      acquire('c', [9_000, 9_001], granted(3)),
    ],
    /session c: .* -> granted under 3/,
  ],
  'a grant that passes on although it was claimed': [
    [
      ...line,
      release('a', [40, 41], 'released', 1, 'node'),
      acquire('b', [5_000, 5_001], granted(2)),
      renew('b', [9_000, 9_001], [2], holds(2)),
      acquire('c', [12_000, 12_001], granted(3)),
    ],
    /session c: .* -> granted under 3/,
  ],
  'a session that is forgotten while it is in touch': [
    [...line, renew('a', [5_000, 5_001], [1], holds(1)), renew('a', [9_000, 9_001], [1], unknownSession)],
    /session a: renew pull under 1 -> unknown-session/,
  ],
  'an answer to a session that was closed': [
    [...line, close('b', [40, 41]), acquire('b', [50, 51], queued(2, 'a'))],
    /expected unknown-session, not queued/,
  ],
  'a grant told to one who never held': [
    [...line, told('c', [5, 50], { kind: 'granted', type: 'pull', token: 2 })],
    /session c: was told: granted pull under 2 .*\n.*nothing of it is so/,
  ],
  'a revocation of a lock that is still held': [
    [
      ...line,
      told('a', [5, 50], { kind: 'revoked', type: 'pull', token: 1 }),
      renew('a', [60, 61], [1], holds(1)),
    ],
    /session a: was told: revoked pull under 1/,
  ],
  'a completion nobody brought about': [
    [...line, told('b', [5, 50], { kind: 'completed', type: 'pull' })],
    /session b: was told: completed pull/,
  ],
  'a refusal after one failure of the content': [
    [...line, release('a', [40, 41], 'released', 1, 'content'), acquire('b', [50, 51], refused)],
    /session b: .* -> refused/,
  ],
  'a place of a client that asks in time and is lost': [
    [
      acquire('A', [10, 11], granted(1)),
      acquire('B', [20, 21], queued(1, 'A')),
      acquire('C', [30, 31], queued(2, 'A')),
      acquire('B', [9_000, 9_001], queued(1, 'A')),
      acquire('C', [14_000, 14_001], queued(1, 'A')),
    ],
    /node C: .*\n.*expected queued at 2 behind node A, not queued at 1/,
  ],
};

describe('the checker of histories accepts', () => {
  it.each(Object.entries(good))('%s', (_, [lines, more]) => {
    expect(check(lines, more)).toEqual({ kind: 'explained' });
  });
});

describe('the checker of histories rejects', () => {
  it.each(Object.entries(bad))('%s', (_, [lines, explanation, more]) => {
    const verdict = check(lines, more);
    expect(verdict).toMatchObject({ kind: 'unexplained', explanation: expect.stringMatching(explanation) });
  });
});

it('the checker of histories says when a search takes too long', () => {
  const asked = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => acquire(name, [10, 90], queued(9, 'a')));
  expect(checkResource(written(asked), { times: writtenTimes, maxSteps: 10 })).toEqual({ kind: 'too long' });
});
