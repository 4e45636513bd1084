import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { toNodeId, toSessionId, toToken } from '../../src/core/ids.ts';
import type { AcquireReply, SessionEvent, Source, SourceReply } from '../../src/lock/locks.ts';
import * as events from '../../src/lock/protocol/events.ts';
import { parse, type Schema } from '../../src/lock/protocol/parse.ts';
import * as replies from '../../src/lock/protocol/replies.ts';
import * as requests from '../../src/lock/protocol/requests.ts';
import * as sources from '../../src/lock/protocol/sources.ts';

const name = fc.string({ minLength: 1, maxLength: 256, unit: fc.constantFrom(...'abzAZ019-_./: é層') });
const hex = fc.string({ minLength: 64, maxLength: 64, unit: fc.constantFrom(...'0123456789abcdef') });
const digest = hex.map((text) => `sha256:${text}` as Digest);
const sessionId = name.map(toSessionId);
const token = fc.nat({ max: Number.MAX_SAFE_INTEGER }).map(toToken);
const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const peer = fc.record({
  kind: fc.constant('peer' as const),
  url: fc.webUrl(),
  sessionId,
  nodeId: name.map(toNodeId),
  complete: fc.boolean(),
});
const source: fc.Arbitrary<Source> = fc.oneof(fc.constant({ kind: 'registry' as const }), peer);
const registry = { kind: 'registry' };
const layer = `sha256:${'0'.repeat(64)}`;

/** What one side writes the other reads, through real JSON, with fields of later versions too. */
function roundTrips<T>(values: fc.Arbitrary<T>, toWire: (value: T) => unknown, schema: Schema<unknown>) {
  fc.assert(
    fc.property(values, (value) => {
      const wire = JSON.parse(JSON.stringify(toWire(value)));
      expect(parse(schema, wire)).toEqual({ ok: true, value });
      expect(parse(schema, { ...wire, later: { x: 1 } })).toEqual({ ok: true, value });
    }),
  );
}

describe('sources', () => {
  it('come out of a grant and of an event as they went in', () => {
    const grant: fc.Arbitrary<AcquireReply> = fc.record({
      ...{ kind: fc.constant('granted' as const), token, ttlMs: offset, source },
    });
    roundTrips(grant, (reply) => replies.acquireReplyToWire(reply).body, replies.acquireReplySchema);
    const event: fc.Arbitrary<SessionEvent> = fc.record({
      ...{ kind: fc.constant('source' as const), type: fc.constant('pull' as const) },
      ...{ resourceId: digest, token, source },
    });
    fc.assert(
      fc.property(event, (value) => {
        const wire = JSON.parse(JSON.stringify(events.sessionEventToWire(value)));
        expect(events.sessionEventFromWire('source', wire)).toEqual({ ok: true, value });
      }),
    );
  });

  it('are written in the words of the protocol', () => {
    const written = sources.sourceToWire({
      ...{ kind: 'peer', url: 'http://10.0.0.7:7041', complete: false },
      ...{ sessionId: toSessionId('s-1'), nodeId: toNodeId('node-a') },
    });
    expect(written).toEqual({
      ...{ kind: 'peer', url: 'http://10.0.0.7:7041', complete: false },
      ...{ session_id: 's-1', node_id: 'node-a' },
    });
    expect(sources.sourceToWire({ kind: 'registry' })).toEqual(registry);
  });

  const whole = { kind: 'peer', url: 'http://x', session_id: 's', node_id: 'n', complete: true };
  it.each([
    ['a kind of a later version', { kind: 'satellite', url: 'http://x' }],
    ['a peer without its session', { ...whole, session_id: undefined }],
    ['a peer at another scheme', { ...whole, url: 'file:///etc/passwd' }],
    ['a peer with credentials', { ...whole, url: 'http://user:secret@x' }],
    ['a peer with a url that is too long', { ...whole, url: `http://x/${'y'.repeat(2_048)}` }],
    ['a peer that does not say whether it has all', { ...whole, complete: null }],
  ])('that this version cannot use are the registry: %s', (_, wire) => {
    expect(parse(sources.source, wire)).toEqual({ ok: true, value: registry });
    const event = { type: 'pull', resource_id: layer, token: 1, source: wire };
    expect(events.sessionEventFromWire('source', event)).toMatchObject({ value: { source: registry } });
  });

  it('that are none are refused', () => {
    expect(parse(sources.source, 'registry')).toEqual({ ok: false, problem: 'the body must be an object' });
    expect(parse(sources.source, { url: 'http://x' })).toEqual({ ok: false, problem: 'kind is missing' });
  });
});

describe('a question for a source', () => {
  it('comes out as it went in', () => {
    const bad = fc.record(
      { sessionId, reason: fc.string({ minLength: 1, maxLength: 1_000 }), wrongBytes: fc.constant(true) },
      { requiredKeys: ['sessionId', 'reason'] },
    );
    const restarts = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    const request = fc.record(
      { sessionId, resourceId: digest, token, offset, bad, restarts },
      { requiredKeys: ['sessionId', 'resourceId', 'token', 'offset'] },
    );
    roundTrips(request, sources.sourceRequestToWire, sources.sourceRequestSchema);
  });

  const request = { session_id: 's', resource_id: layer, token: 1, offset: 0 };
  it.each([
    [{ ...request, session_id: undefined }, 'session_id is missing'],
    [{ ...request, token: undefined }, 'token is missing'],
    [{ ...request, offset: -1 }, 'offset must not be negative'],
    [{ ...request, resource_id: 'sha256:0' }, /^resource_id must be a digest/],
    [{ ...request, bad: 'node-b' }, 'bad must be an object'],
    [{ ...request, bad: { reason: 'slow' } }, 'bad.session_id is missing'],
    [{ ...request, bad: { session_id: 'x'.repeat(257) } }, /^bad.session_id must not be longer/],
    [{ ...request, bad: { session_id: 's', wrong_bytes: 'yes' } }, /^bad.wrong_bytes must be/],
    [{ ...request, restarts: -1 }, 'restarts must not be negative'],
    [[], /missing$/],
    ['source', 'the body must be a JSON object'],
  ])('is refused where it is wrong', (body, problem) => {
    const parsed = parse(sources.sourceRequestSchema, body);
    expect(parsed.ok ? 'no problem' : parsed.problem).toMatch(problem);
  });

  it('has a reason that fits into a body, on both sides', () => {
    const bad = { sessionId: toSessionId('s'), reason: 'x'.repeat(100_000) };
    const base = { sessionId: bad.sessionId, resourceId: layer as Digest, token: toToken(1), offset: 0 };
    const wire = sources.sourceRequestToWire({ ...base, bad });
    expect(wire.bad?.reason).toHaveLength(1_000);
    const long = { ...wire, bad: { session_id: 's', reason: bad.reason } };
    expect(parse(sources.sourceRequestSchema, long)).toMatchObject({
      value: { bad: { reason: 'x'.repeat(1_000) } },
    });
  });

  it('is answered by a source, a pause or a refusal, as they went in', () => {
    const reply: fc.Arbitrary<SourceReply> = fc.oneof(
      fc.record({ kind: fc.constant('source' as const), source }),
      fc.record({ kind: fc.constant('wait' as const), retryMs: offset }),
    );
    roundTrips(reply, (value) => sources.sourceReplyToWire(value).body, sources.sourceReplySchema);
    const refusal = { kind: 'not-holder' as const, message: 'the lock is not yours' };
    const { status, body } = sources.sourceReplyToWire(refusal);
    expect(status).toBe(403);
    expect(body).toMatchObject({ error: 'forbidden', code: 'not_holder' });
    expect(parse(sources.notHolderSchema, body)).toEqual({ ok: true, value: refusal });
    const other = { error: 'forbidden', message: 'no token', code: 'unauthorized' };
    expect(parse(sources.notHolderSchema, other)).toMatchObject({ ok: false });
    expect(parse(sources.sourceReplySchema, {})).toEqual({ ok: false, problem: 'the body has no source' });
  });
});

describe('an announcement', () => {
  const read = (announce: unknown) => parse(requests.heartbeatSchema, { announce });
  const digests = (count: number) =>
    Array.from({ length: count }, (_, index) => `sha256:${index.toString(16).padStart(64, '0')}`);

  it('comes out of a heartbeat as it went in', () => {
    const announce = fc.record({
      add: fc.array(digest, { maxLength: 3 }),
      remove: fc.array(digest, { maxLength: 3 }),
    });
    const heartbeat = fc.record({ held: fc.constant([]), announce, draining: fc.boolean() });
    roundTrips(heartbeat, requests.heartbeatToWire, requests.heartbeatSchema);
  });

  it('may leave out one of its lists', () => {
    const [one] = digests(1);
    expect(read({ add: [one] })).toEqual({
      ok: true,
      value: { held: [], announce: { add: [one], remove: [] } },
    });
    expect(read(null)).toEqual({ ok: true, value: { held: [] } });
  });

  it('names ten thousand digests at most', () => {
    expect(read({ add: digests(6_000), remove: digests(4_000) })).toMatchObject({ ok: true });
    expect(read({ add: digests(6_000), remove: digests(4_001) })).toEqual({
      ok: false,
      problem: 'announce must not name more than 10000 digests',
    });
    expect(read({ add: digests(10_001) })).toEqual({
      ok: false,
      problem: 'announce.add must not have more than 10000 entries',
    });
  });

  it('is refused where it is wrong', () => {
    expect(read('all')).toEqual({ ok: false, problem: 'announce must be an object' });
    expect(read({ add: 'all' })).toEqual({ ok: false, problem: 'announce.add must be a list' });
    expect(read({ remove: [7] })).toEqual({ ok: false, problem: 'announce.remove.0 must be text' });
    expect(read({ add: ['../../etc'] })).toMatchObject({ ok: false });
  });
});

describe('the url of a session', () => {
  const read = (url: unknown) => parse(requests.openSessionSchema, { node_id: 'n', url });
  it.each(['http://10.0.0.7:7041', 'https://node-a.example/', 'http://[::1]:80/p@th'])('may be %s', (url) => {
    expect(read(url)).toMatchObject({ ok: true, value: { url } });
  });

  it.each([
    ['ftp://x', 'url must be an http or https URL'],
    ['http://', 'url must be an http or https URL'],
    ['http://user@x', 'url must not contain credentials'],
    ['http://:secret@x', 'url must not contain credentials'],
    ['http://x\ny', 'url must not contain control characters'],
    [`http://${'x'.repeat(2_048)}`, 'url must not be longer than 2048 characters'],
    [7, 'url must be text'],
  ])('may not be %j', (url, problem) => {
    expect(read(url)).toEqual({ ok: false, problem });
  });
});

describe('the children of a session', () => {
  it('are told with its snapshot, and none where an older server says nothing', () => {
    const snapshot = { granted: [], queued: [] };
    expect(events.snapshotToWire(snapshot)).toEqual({ ...snapshot, children: 0 });
    const read = (wire: object) => parse(events.snapshotSchema, wire);
    expect(read(events.snapshotToWire({ ...snapshot, children: 3 }))).toEqual({
      ok: true,
      value: { ...snapshot, children: 3 },
    });
    for (const none of [snapshot, { ...snapshot, children: 0 }, { ...snapshot, children: null }])
      expect(read(none)).toEqual({ ok: true, value: snapshot });
    expect(read({ ...snapshot, children: -1 })).toMatchObject({ ok: false });
  });
});

describe('whatever comes from the network', () => {
  it.each([
    ['a request', sources.sourceRequestSchema],
    ['a reply', sources.sourceReplySchema],
    ['a refusal', sources.notHolderSchema],
    ['a source', sources.source],
  ] as const)('is taken or refused with a problem: %s', (_, schema: Schema<unknown>) => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        const parsed = parse(schema, input);
        if (!parsed.ok) expect(parsed.problem).toMatch(/^\S.*\S$/s);
      }),
    );
  });
});
