import { describe, expect, it } from 'vitest';
import { checkResource } from '../support/history/checker.ts';
import {
  acquire,
  backInLine,
  close,
  granted,
  holds,
  type Line,
  line,
  nothing,
  queued,
  refused,
  release,
  renew,
  restart,
  skip,
  told,
  unknownSession,
  type WrittenMore,
  written,
  writtenTimes,
} from '../support/history/written.ts';

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
  'an order that is another after a restart': [
    [
      ...backInLine,
      release('a', [1_400, 1_401], 'released', 1, 'node'),
      acquire('c', [1_500, 1_501], granted(2)),
    ],
    /session c: .* -> granted under 2 [\s\S]*expected queued at 1 behind session b/,
  ],
  'a second holder after a restart': [
    [...backInLine, acquire('D', [1_400, 1_401], granted(2))],
    /node D: .* -> granted under 2 [\s\S]*held by session a .*: expected queued at 3/,
  ],
  'a token that falls over a restart': [
    [acquire('A', [10, 11], granted(5)), restart(100, 200), acquire('B', [1_400, 1_401], granted(4))],
    /node B: .* -> granted under 4/,
  ],
  'a skip for what was done before a restart that left nothing': [
    [
      acquire('A', [10, 11], granted(5)),
      release('A', [20, 21], 'released', 5),
      restart(100, 200),
      acquire('B', [1_400, 1_401], skip),
    ],
    /node B: .* -> skip/,
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

describe('the checker of histories rejects', () => {
  it.each(Object.entries(bad))('%s', (_, [lines, explanation, more = {}]) => {
    const verdict = checkResource(written(lines, more), { times: writtenTimes });
    expect(verdict).toMatchObject({ kind: 'unexplained', explanation: expect.stringMatching(explanation) });
  });
});

it('the checker of histories says when a search takes too long', () => {
  const asked = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => acquire(name, [10, 90], queued(9, 'a')));
  expect(checkResource(written(asked), { times: writtenTimes, maxSteps: 10 })).toEqual({ kind: 'too long' });
});
