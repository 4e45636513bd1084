import { describe, expect, it } from 'vitest';
import { checkResource } from '../support/history/checker.ts';
import {
  acquire,
  backInLine,
  close,
  decline,
  granted,
  holds,
  type Line,
  line,
  nothing,
  open,
  queued,
  refused,
  release,
  renew,
  restart,
  skip,
  told,
  unknownSession,
  type WrittenMore,
  waits,
  written,
  writtenTimes,
} from '../support/history/written.ts';

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
  'a restart that left nothing, after which all come back': [
    [
      ...backInLine,
      acquire('D', [220, 1_300], queued(3, 'a')),
      release('a', [1_400, 1_401], 'released', 1, 'node'),
      acquire('b', [1_500, 1_501], granted(2)),
    ],
  ],
  'a restart that left nothing, after which nobody came back': [
    [
      ...line,
      restart(100, 200),
      acquire('D', [220, 1_300], granted(2)),
      acquire('a', [1_400, 1_401], unknownSession),
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

describe('the checker of histories accepts', () => {
  it.each(Object.entries(good))('%s', (_, [lines, more = {}]) => {
    const verdict = checkResource(written(lines, more), { times: writtenTimes });
    expect(verdict).toEqual({ kind: 'explained' });
  });
});
