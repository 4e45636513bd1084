import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { type ErrorCode, LayerpullError } from '../../src/core/errors.ts';
import type { Source } from '../../src/lock/sources.ts';
import type { Peers } from '../../src/peer/client.ts';
import { guided } from '../../src/peer/guided.ts';
import { createPeerHealth, type PeerHealth } from '../../src/peer/peer-health.ts';
import type { BlobSource, OpenBlob, SourceUse, Standing } from '../../src/source/blob-source.ts';
import { fallback } from '../../src/source/fallback.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { placesOf } from '../support/scripted-sources.ts';
import { collect, type FakeGuide, fakeGuide, hurried, never, peerAt, registrySource } from './support.ts';

const layer = blobOf('0123456789abcdef');
const [a, b, c] = ['http://a', 'http://b', 'http://c'].map((url) => peerAt(url)) as [Peer, Peer, Peer];
type Peer = ReturnType<typeof peerAt>;
const relay = (url: string) => peerAt(url, false);

/** What one opening gives: so many bytes, and then an error; all where nothing is said. */
interface Opening {
  readonly bytes?: number;
  readonly code?: ErrorCode;
  readonly cause?: Error;
  readonly retryAfterMs?: number;
  /** Called when the bytes are given. */
  readonly afterwards?: () => void;
  /** Gives nothing more, until it is left. */
  readonly hangs?: boolean;
}

function scripted(url: string, script: readonly Opening[], origin: 'peer' | 'registry'): BlobSource {
  let place = 0;
  return {
    url,
    async *open({ size }: Descriptor, { offset = 0, signal }: OpenBlob) {
      const { bytes = size, code, cause, retryAfterMs, afterwards, hangs } = script[place] ?? {};
      place += 1;
      for (const byte of layer.bytes.subarray(offset, Math.min(size, offset + bytes))) {
        signal.throwIfAborted();
        yield Uint8Array.of(byte);
      }
      afterwards?.();
      if (hangs) await systemClock.sleep(60_000, signal);
      if (code) throw new LayerpullError(code, `${url} failed`, { origin, retryAfterMs, cause });
    },
  };
}

interface Stage {
  readonly guide: FakeGuide;
  readonly peers?: Readonly<Record<string, readonly Opening[]>>;
  readonly registry?: readonly Opening[];
  readonly health?: PeerHealth;
  readonly standing?: (url: string) => Standing;
  readonly restarts?: number;
  readonly clock?: Clock;
  /** What peers say that they have. */
  readonly has?: Readonly<Record<string, number | undefined>>;
  /** How they are asked for that. Default: they say it at once. */
  readonly bytesOf?: Peers['bytesOf'];
  readonly offset?: number;
}

function stage({ guide, peers = {}, registry = [], has = {}, offset = 0, ...given }: Stage) {
  const { standing, restarts = 0 } = given;
  const uses: SourceUse[] = [];
  const warnings: string[] = [];
  const health = given.health ?? createPeerHealth((message) => warnings.push(message));
  const sources = new Map(Object.entries(peers).map(([url, script]) => [url, scripted(url, script, 'peer')]));
  const fakePeers: Peers = {
    blobs: (url) => sources.get(url) ?? scripted(url, [{ bytes: 0, code: 'registry_unreachable' }], 'peer'),
    bytesOf: given.bytesOf ?? (async (url) => has[url]),
    recorded: async () => undefined,
    close: async () => {},
  };
  const own = scripted('http://registry', registry, 'registry');
  const source = guided({
    guide,
    registry: fallback({ url: own.url, candidates: async () => [{ source: own }] }),
    peers: fakePeers,
    health,
    clock: given.clock ?? hurried(50),
  });
  const open = (signal = never) =>
    source.open(layer, {
      offset,
      signal,
      restarts,
      onSource: (use) => uses.push(use),
      ...(standing ? { standing } : {}),
    });
  return { open, uses, places: () => placesOf(uses), warnings, guide };
}

/** Reads all; the bytes are those of the layer from `offset` on. */
async function expectAll({ open }: ReturnType<typeof stage>, offset = 0): Promise<void> {
  expect((await collect(open())).toString()).toBe(layer.bytes.subarray(offset).toString());
}

describe('a guided blob', () => {
  it('comes from the registry when the guide says so, and asks the guide nothing', async () => {
    const run = stage({ guide: fakeGuide(registrySource) });
    await expectAll(run);
    expect(run.places()).toEqual(['registry@0']);
    expect(run.guide.reports).toEqual([]);
  });

  it('comes from the peer that the guide names, and never from the registry', async () => {
    const run = stage({ guide: fakeGuide(a), peers: { 'http://a': [] }, offset: 4 });
    await expectAll(run, 4);
    expect(run.places()).toEqual(['a@4']);
  });

  it('asks nobody when all bytes are there', async () => {
    const run = stage({ guide: fakeGuide(a), offset: layer.size });
    await expectAll(run, layer.size);
    expect(run.places()).toEqual([]);
  });

  it('goes on with the next peer from the byte reached, and says why', async () => {
    const run = stage({
      guide: fakeGuide(a, [b]),
      peers: { 'http://a': [{ bytes: 5, code: 'registry_failed' }], 'http://b': [] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@5']);
    expect(run.uses[1]?.reason).toMatch(/^a /);
    expect(run.guide.reports).toEqual([
      { offset: 5, bad: { sessionId: a.sessionId, reason: expect.any(String) } },
    ]);
  });

  it.each<ErrorCode>([
    'registry_unreachable',
    'registry_failed',
    'registry_protocol',
    'registry_stalled',
    'blob_not_found',
    'access_denied',
    'size_mismatch',
    'timed_out',
  ])('reports a complete peer that fails with %s', async (code) => {
    const run = stage({
      guide: fakeGuide(a, [b]),
      peers: { 'http://a': [{ bytes: 3, code }], 'http://b': [] },
    });
    await expectAll(run);
    expect(run.guide.blamed()).toHaveLength(1);
    expect(run.places()).toEqual(['a@0', 'b@3']);
  });

  it('reads no peer again that it reported, whatever the guide says', async () => {
    const run = stage({
      guide: fakeGuide(a, [a, a, a]),
      peers: { 'http://a': [{ bytes: 5, code: 'registry_failed' }] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'registry@5']);
  });

  it('gives the registry the rest when many peers in a row give nothing', async () => {
    const many = Array.from({ length: 30 }, (_, place) => peerAt(`http://p${place}`));
    const run = stage({ guide: fakeGuide(a, many) });
    await expectAll(run);
    expect(run.places()).toHaveLength(9);
    expect(run.places().at(-1)).toBe('registry@0');
  });

  it('ends with the error of the registry', async () => {
    const run = stage({ guide: fakeGuide(a), registry: [{ bytes: 4, code: 'access_denied' }] });
    await expect(collect(run.open())).rejects.toMatchObject({ code: 'access_denied', origin: 'registry' });
  });

  it('ends with the reason of the signal, and listens no more', async () => {
    const guide = fakeGuide(a);
    const leaving = new AbortController();
    const afterwards = () => leaving.abort(new Error('enough'));
    const run = stage({ guide, peers: { 'http://a': [{ bytes: 2, afterwards, hangs: true }] } });
    await expect(collect(run.open(leaving.signal))).rejects.toThrow('enough');
    expect(guide.listeners()).toBe(0);
    expect(guide.reports).toEqual([]);
  });

  it('listens no more when its reader stops early', async () => {
    const guide = fakeGuide(a);
    const run = stage({ guide, peers: { 'http://a': [] } });
    for await (const _ of run.open()) break;
    expect(guide.listeners()).toBe(0);
  });
});

describe('a peer that has nothing more to give for now', () => {
  it('is not reported when it has no more itself', async () => {
    const first = relay('http://a');
    const run = stage({
      guide: fakeGuide(first, [first]),
      peers: { 'http://a': [{ bytes: 5, code: 'registry_stalled' }] },
      has: { 'http://a': 5 },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'a@5']);
    expect(run.guide.reports).toEqual([{ offset: 5 }]);
    expect(run.warnings).toEqual([]);
  });

  it.each([
    ['holds back what it has', 6],
    ['does not answer', undefined],
  ])('is reported when it %s', async (_, bytes) => {
    const run = stage({
      guide: fakeGuide(relay('http://a'), [b]),
      peers: { 'http://a': [{ bytes: 5, code: 'registry_stalled' }], 'http://b': [] },
      has: { 'http://a': bytes },
    });
    await expectAll(run);
    expect(run.guide.blamed()).toHaveLength(1);
    expect(run.places()).toEqual(['a@0', 'b@5']);
  });

  it.each<[string, Opening]>([
    ['has not begun yet', { bytes: 0, code: 'blob_not_found' }],
    ['serves enough others', { bytes: 0, code: 'registry_failed', retryAfterMs: 1_000 }],
    ['says that it waits itself', { bytes: 0, code: 'registry_stalled' }],
  ])('is not reported when it %s, but it is when that does not change', async (_, opening) => {
    const first = relay('http://a');
    const has = { 'http://a': 0 };
    const passing = stage({
      guide: fakeGuide(first, [first, first]),
      peers: { 'http://a': [opening, opening] },
      has,
    });
    await expectAll(passing);
    expect(passing.guide.blamed()).toEqual([]);
    expect(passing.places()).toEqual(['a@0', 'a@0', 'a@0']);
    const always = Array.from({ length: 30 }, () => first);
    const lasting = stage({
      guide: fakeGuide(first, always),
      peers: { 'http://a': Array.from({ length: 30 }, () => opening) },
      has,
    });
    await expectAll(lasting);
    expect(lasting.guide.blamed()).toHaveLength(1);
    expect(lasting.places().at(-1)).toBe('registry@0');
  });

  it('is left in the end when it drips and says that it has no more', async () => {
    const first = relay('http://a');
    const drip = { bytes: 1, code: 'timed_out' } as const;
    const run = stage({
      guide: fakeGuide(
        first,
        Array.from({ length: 30 }, () => first),
      ),
      peers: { 'http://a': Array.from({ length: 30 }, () => drip) },
      has: { 'http://a': 1 },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'a@1', 'a@2', 'a@3', 'registry@4']);
    expect(run.guide.blamed()).toHaveLength(1);
  });
});

describe('a guide that names another source unasked', () => {
  it('is followed at once, from the byte reached', async () => {
    const guide = fakeGuide(relay('http://a'));
    const afterwards = () => guide.move(b);
    const run = stage({
      guide,
      peers: { 'http://a': [{ bytes: 6, afterwards, hangs: true }], 'http://b': [] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@6']);
    expect(run.uses[1]?.reason).toBe('the lock server names another source');
    expect(guide.reports).toEqual([]);
  });

  it('is followed from the registry to a peer and back', async () => {
    const guide = fakeGuide(registrySource);
    const run = stage({
      guide,
      registry: [{ bytes: 3, afterwards: () => guide.move(a), hangs: true }],
      peers: { 'http://a': [{ bytes: 3, afterwards: () => guide.move(registrySource), hangs: true }] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['registry@0', 'a@3', 'registry@6']);
  });

  it('is followed while its answer is waited for', async () => {
    const guide = fakeGuide(a);
    guide.next = async (_, signal) => {
      setImmediate(() => guide.move(b));
      await systemClock.sleep(60_000, signal);
      return registrySource;
    };
    const run = stage({
      guide,
      peers: { 'http://a': [{ bytes: 6, code: 'registry_failed' }], 'http://b': [] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@6']);
  });

  it('is followed while the peer that fell silent is asked what it has', async () => {
    const guide = fakeGuide(relay('http://a'));
    const run = stage({
      guide,
      peers: { 'http://a': [{ bytes: 6, code: 'registry_stalled' }], 'http://b': [] },
      bytesOf: async (_, __, signal) => {
        setImmediate(() => guide.move(b));
        await systemClock.sleep(60_000, signal);
        return 0;
      },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@6']);
    expect(guide.reports).toEqual([]);
  });

  it('changes nothing when it names the same one, or one that was reported', async () => {
    const guide = fakeGuide(a, [b, c]);
    const same = () => guide.move(peerAt('http://a', false));
    const reported = () => guide.move(a);
    const run = stage({
      guide,
      peers: {
        'http://a': [{ bytes: 2, afterwards: same, code: 'registry_failed' }],
        'http://b': [{ bytes: 2, afterwards: reported, code: 'registry_failed' }],
        'http://c': [],
      },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@2', 'c@4']);
  });

  it('is not followed for ever', async () => {
    const guide = fakeGuide(a);
    let turn = 0;
    const place = () => (turn % 2 === 0 ? b : c);
    const endless = Array.from({ length: 2_000 }, () => ({
      bytes: 0,
      afterwards: () => {
        turn += 1;
        guide.move(place());
      },
      code: 'registry_stalled' as const,
    }));
    const run = stage({ guide, peers: { 'http://a': endless, 'http://b': endless, 'http://c': endless } });
    await expectAll(run);
    expect(run.places().at(-1)).toBe('registry@0');
  });
});

describe('peers that fall silent', () => {
  const silent = (): readonly Opening[] => [{ bytes: 0, code: 'registry_stalled' }];

  it('cost a pull their time twice, then it asks the registry and says so once', async () => {
    const warnings: string[] = [];
    const health = createPeerHealth((message) => warnings.push(message));
    const peers = { 'http://a': silent(), 'http://b': silent(), 'http://c': silent() };
    const first = stage({ guide: fakeGuide(a, [b, c]), peers, health });
    await expectAll(first);
    expect(first.places()).toEqual(['a@0', 'b@0', 'registry@0']);
    expect(first.guide.blamed()).toHaveLength(2);
    const second = stage({ guide: fakeGuide(c), peers: { 'http://c': [] }, health });
    await expectAll(second);
    expect(second.places()).toEqual(['registry@0']);
    expect(warnings).toEqual(['http://a and http://b gave nothing: the rest comes from the registry']);
  });

  it('are not told from those that deny access, as every peer does to who is not of their fleet', async () => {
    const denying = (): readonly Opening[] => [{ bytes: 0, code: 'access_denied' }];
    const run = stage({
      guide: fakeGuide(a, [b, c]),
      peers: { 'http://a': denying(), 'http://b': denying(), 'http://c': [] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@0', 'registry@0']);
    expect(run.warnings).toHaveLength(1);
  });

  it('are not told from those with which no TLS comes about, and the warning names the certificate', async () => {
    const cause = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
    const inner = new LayerpullError('registry_unreachable', 'cannot reach a', { cause });
    const strange = (): readonly Opening[] => [{ bytes: 0, code: 'registry_unreachable', cause: inner }];
    const run = stage({
      guide: fakeGuide(a, [b, c]),
      peers: { 'http://a': strange(), 'http://b': strange(), 'http://c': [] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@0', 'registry@0']);
    expect(run.warnings).toEqual([
      'http://a and http://b gave nothing, most likely because of a certificate: the rest comes from the registry',
    ]);
  });

  it('are told from those that cannot be reached, which costs no time', async () => {
    const gone = (): readonly Opening[] => [{ bytes: 0, code: 'registry_unreachable' }];
    const run = stage({
      guide: fakeGuide(a, [b, c]),
      peers: { 'http://a': gone(), 'http://b': gone(), 'http://c': [] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0', 'b@0', 'c@0']);
    expect(run.warnings).toEqual([]);
  });

  it('are forgiven when a peer gives bytes between', async () => {
    const health = createPeerHealth(() => {});
    await expectAll(
      stage({ guide: fakeGuide(a, [b]), peers: { 'http://a': silent(), 'http://b': [] }, health }),
    );
    const next = stage({ guide: fakeGuide(c, [b]), peers: { 'http://c': silent(), 'http://b': [] }, health });
    await expectAll(next);
    expect(next.places()).toEqual(['c@0', 'b@0']);
    expect(health.isOver).toBe(false);
  });

  it('are no reason to give up while it is one and the same', async () => {
    const health = createPeerHealth(() => {});
    for (let place = 0; place < 4; place += 1) {
      await expectAll(stage({ guide: fakeGuide(a), peers: { 'http://a': silent() }, health }));
    }
    expect(health.isOver).toBe(false);
  });
});

describe('a peer that is too slow', () => {
  const slow = (): readonly Opening[] => [{ bytes: 1, code: 'timed_out' }];

  it('is left twice, over all layers of a pull, and then reported at once and read no more', async () => {
    const health = createPeerHealth(() => {});
    for (let round = 0; round < 2; round += 1) {
      const peers = { 'http://a': slow(), 'http://b': [] };
      const run = stage({ guide: fakeGuide(a, [b]), peers, health });
      await expectAll(run);
      expect(run.places()).toEqual(['a@0', 'b@1']);
    }
    const third = stage({ guide: fakeGuide(a, [b]), peers: { 'http://b': [] }, health });
    await expectAll(third);
    expect(third.places()).toEqual(['b@0']);
    expect(third.guide.blamed()).toEqual(['http://a: is slow']);
    const fourth = stage({ guide: fakeGuide(a, [a]), health });
    await expectAll(fourth);
    expect(fourth.places()).toEqual(['registry@0']);
    expect(health.isOver).toBe(false);
  });

  it('is not read no more for what another one did', async () => {
    const health = createPeerHealth(() => {});
    const peers = { 'http://a': slow(), 'http://b': slow(), 'http://c': [] };
    await expectAll(stage({ guide: fakeGuide(a, [b, c]), peers, health }));
    const next = stage({ guide: fakeGuide(a), peers: { 'http://a': [] }, health });
    await expectAll(next);
    expect(next.places()).toEqual(['a@0']);
  });
});

describe('wrong bytes', () => {
  const error = new LayerpullError('digest_mismatch', 'wrong');
  const wrong = (url: string) => (asked: string) =>
    asked === url ? { kind: 'wrong' as const, error } : { kind: 'good' as const };

  /** Reads from `source` once before, as if that gave the wrong bytes. */
  async function readBefore(source: Source) {
    const health = createPeerHealth(() => {});
    await expectAll(stage({ guide: fakeGuide(source), peers: { 'http://a': [] }, health }));
    return health;
  }

  it('of a peer that offered them as complete are reported, and it is not read again', async () => {
    const health = await readBefore(a);
    const run = stage({
      guide: fakeGuide(a, [b]),
      peers: { 'http://b': [] },
      health,
      standing: wrong('http://a'),
    });
    await expectAll(run);
    expect(run.guide.reports).toEqual([
      { offset: 0, bad: { sessionId: a.sessionId, reason: 'sends wrong content', wrongBytes: true } },
    ]);
    expect(run.places()).toEqual(['b@0']);
  });

  it.each([relay('http://b'), registrySource])(
    'are reported also where the guide names another source already (%o)',
    async (now) => {
      const health = await readBefore(a);
      const run = stage({
        guide: fakeGuide(now, [c]),
        peers: { 'http://b': [], 'http://c': [] },
        health,
        standing: wrong('http://a'),
      });
      await expectAll(run);
      expect(run.guide.blamed()).toEqual(['http://a: sends wrong content']);
      expect(run.places()).toEqual(['c@0']);
    },
  );

  it.each([false, true])(
    'of a relay are not reported, and it is not read again (complete by now: %s)',
    async (complete) => {
      const health = await readBefore(relay('http://a'));
      const now = peerAt('http://a', complete);
      const run = stage({ guide: fakeGuide(now, [now]), health, standing: wrong('http://a') });
      await expectAll(run);
      expect(run.guide.blamed()).toEqual([]);
      expect(run.places()).toEqual(['registry@0']);
    },
  );

  it('of a peer are reported, also where the lock server names another one meanwhile', async () => {
    const health = await readBefore(a);
    const told = fakeGuide(a);
    const guide: FakeGuide = {
      ...told,
      get source() {
        return told.source;
      },
      async next(report, signal) {
        told.move(b);
        return await told.next(report, signal);
      },
    };
    const run = stage({ guide, peers: { 'http://b': [] }, health, standing: wrong('http://a') });
    await expectAll(run);
    expect(guide.blamed()).toEqual(['http://a: sends wrong content']);
    expect(run.places()).toEqual(['b@0']);
  });

  it('are not what one is reported for who gave a part and broke off', async () => {
    const health = await readBefore(a);
    const gaveUp = new LayerpullError('registry_failed', 'broke off');
    const standing = (url: string): Standing =>
      url === a.url ? { kind: 'wrong', error: gaveUp } : { kind: 'good' };
    const run = stage({ guide: fakeGuide(a, [b]), peers: { 'http://b': [] }, health, standing });
    await expectAll(run);
    expect(run.guide.blamed()).toEqual([]);
  });

  it('of a relay let the guide be asked anew, after a pause, and the same relay be read once more', async () => {
    const clock = createFakeClock();
    const guide = fakeGuide(relay('http://a'), [relay('http://a')]);
    const run = stage({ guide, peers: { 'http://a': [] }, restarts: 1, clock });
    const reading = expectAll(run);
    await clock.advance(1_000);
    expect(run.places()).toEqual([]);
    expect(guide.reports).toEqual([]);
    await clock.advance(1_000);
    await reading;
    expect(guide.reports).toEqual([{ offset: 0, restarts: 1 }]);
    expect(run.places()).toEqual(['a@0']);
  });

  it('of a relay cost no pause where the registry is to be read, or bytes are there already', async () => {
    const clock = createFakeClock();
    const peers = { 'http://a': [] };
    const fromRegistry = stage({ guide: fakeGuide(registrySource), restarts: 1, clock });
    const goingOn = stage({ guide: fakeGuide(relay('http://a')), peers, restarts: 1, offset: 4, clock });
    await expectAll(fromRegistry);
    await expectAll(goingOn, 4);
    expect([fromRegistry.places(), goingOn.places()]).toEqual([['registry@0'], ['a@4']]);
    expect(fromRegistry.guide.reports).toEqual([{ offset: 0, restarts: 1 }]);
  });

  it('of relays, twice, let only the registry be read', async () => {
    const guide = fakeGuide(relay('http://a'), [relay('http://b')]);
    const peers = { 'http://a': [], 'http://b': [] };
    const run = stage({ guide, peers, restarts: 2 });
    await expectAll(run);
    expect(guide.reports).toEqual([{ offset: 0, restarts: 2 }]);
    expect(run.places()).toEqual(['registry@0']);
  });

  it('of relays, twice, are no reason to refuse a complete copy', async () => {
    const guide = fakeGuide(relay('http://a'), [b]);
    const run = stage({ guide, peers: { 'http://b': [] }, restarts: 2 });
    await expectAll(run);
    expect(run.places()).toEqual(['b@0']);
  });

  it.each(['doubtful', 'barred'] as const)(
    'that may be of a peer let the registry come before it (%s)',
    async (kind) => {
      const run = stage({
        guide: fakeGuide(a),
        peers: { 'http://a': [] },
        standing: (url) => ({ kind: url === a.url ? kind : 'good' }),
      });
      await expectAll(run);
      expect(run.places()).toEqual(['registry@0']);
    },
  );

  it('of the registry let a peer that may be to blame be read, alone', async () => {
    const standing = (url: string): Standing =>
      url === a.url ? { kind: 'doubtful' } : { kind: 'wrong', error };
    const run = stage({ guide: fakeGuide(a, [a]), peers: { 'http://a': [] }, standing });
    await expectAll(run);
    expect(run.places()).toEqual(['a@0']);
  });

  it('of everybody end with what is known of the registry', async () => {
    const run = stage({ guide: fakeGuide(a, [a]), standing: () => ({ kind: 'wrong', error }) });
    await expect(collect(run.open())).rejects.toBe(error);
  });
});

describe('a registry that cannot be reached', () => {
  it('is helped out by a peer, if the guide knows one', async () => {
    const run = stage({
      guide: fakeGuide(registrySource, [a]),
      registry: [{ bytes: 4, code: 'registry_unreachable' }],
      peers: { 'http://a': [] },
    });
    await expectAll(run);
    expect(run.places()).toEqual(['registry@0', 'a@4']);
    expect(run.guide.reports).toEqual([{ offset: 4 }]);
  });

  it('is what the pull ends with when the guide knows none, or does not answer', async () => {
    const failing = { registry: [{ bytes: 4, code: 'registry_unreachable' } as const] };
    const run = stage({ guide: fakeGuide(registrySource), ...failing });
    await expect(collect(run.open())).rejects.toMatchObject({
      code: 'registry_unreachable',
      origin: 'registry',
    });
    const guide = fakeGuide(registrySource);
    guide.next = (_, signal) => systemClock.sleep(60_000, signal).then(() => registrySource);
    const waiting = stage({ guide, ...failing });
    await expect(collect(waiting.open())).rejects.toMatchObject({ code: 'registry_unreachable' });
  });

  it.each<ErrorCode>(['access_denied', 'blob_not_found'])('is believed when it says %s', async (code) => {
    const run = stage({
      guide: fakeGuide(registrySource, [a]),
      registry: [{ bytes: 0, code }],
      peers: { 'http://a': [] },
    });
    await expect(collect(run.open())).rejects.toMatchObject({ code });
    expect(run.guide.reports).toEqual([]);
  });
});
