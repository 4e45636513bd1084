import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { toNodeId, toRequestId, toSessionId, toStoreId, toToken } from '../../src/core/ids.ts';
import type { AcquireReply, ReleaseReply, ResourceView, SessionEvent } from '../../src/lock/locks.ts';
import * as events from '../../src/lock/protocol/events.ts';
import type { Schema } from '../../src/lock/protocol/parse.ts';
import { parse } from '../../src/lock/protocol/parse.ts';
import * as replies from '../../src/lock/protocol/replies.ts';
import * as requests from '../../src/lock/protocol/requests.ts';
import * as views from '../../src/lock/protocol/views.ts';

const optional = { requiredKeys: [] as [] };
const name = fc.string({ minLength: 1, maxLength: 256, unit: fc.constantFrom(...'abzAZ019-_./: é層') });
const hex = (length: number) =>
  fc.string({ minLength: length, maxLength: length, unit: fc.constantFrom(...'0123456789abcdef') });
const digest = fc.oneof(
  hex(64).map((text) => `sha256:${text}` as Digest),
  hex(128).map((text) => `sha512:${text}` as Digest),
);
const nodeId = name.map(toNodeId);
const sessionId = name.map(toSessionId);
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const token = count.map(toToken);
const position = fc.integer({ min: 1, max: 10_000 });
const type = fc.constantFrom('pull' as const, 'update' as const, 'delete' as const);
const holder = fc.record({ nodeId, sessionId }, { requiredKeys: ['nodeId'] });
const resource = { type, resourceId: digest };
const request = { ...resource, nodeId, sessionId };
const requestKeys = ['type', 'resourceId', 'nodeId'] as const;
const text = fc.string({ maxLength: 200 });

/** What one side writes the other reads, through real JSON. */
function roundTrips<T>(values: fc.Arbitrary<T>, toWire: (value: T) => unknown, schema: Schema<unknown>) {
  fc.assert(
    fc.property(values, (value) => {
      const wire = JSON.parse(JSON.stringify(toWire(value)));
      expect(parse(schema, wire)).toEqual({ ok: true, value });
      // Fields of later versions change nothing.
      expect(parse(schema, { ...wire, later: { x: 1 } })).toEqual({ ok: true, value });
    }),
  );
}

describe('requests', () => {
  it('to acquire come out as they went in', () => {
    const values = fc.record(
      { ...request, requestId: name.map(toRequestId), force: fc.boolean(), position },
      { requiredKeys: [...requestKeys] },
    );
    roundTrips(values, requests.acquireToWire, requests.acquireSchema);
  });

  it('to release and to decline come out as they went in', () => {
    const outcome = fc.oneof(
      fc.constant({ success: true as const }),
      fc.record({
        success: fc.constant(false as const),
        error: fc.string({ minLength: 1, maxLength: 1_000 }),
        class: fc.constantFrom('node' as const, 'content' as const),
      }),
    );
    const release = fc.record({ ...request, token, outcome }, { requiredKeys: [...requestKeys, 'outcome'] });
    roundTrips(
      release.map((value) => ({ kind: 'release' as const, ...value })),
      requests.releaseToWire,
      requests.unlockSchema,
    );
    const decline = fc.record({ ...request, token }, { requiredKeys: [...requestKeys] });
    roundTrips(
      decline.map((value) => ({ kind: 'decline' as const, ...value })),
      requests.declineToWire,
      requests.unlockSchema,
    );
  });

  it('for a status come out of a query as they went in', () => {
    const values = fc.record(request, { requiredKeys: [...requestKeys] });
    roundTrips(values, (value) => Object.fromEntries(requests.statusToQuery(value)), requests.statusSchema);
  });

  it('of sessions come out as they went in', () => {
    const open = fc.record(
      { sessionId, nodeId, url: fc.webUrl(), storeId: name.map(toStoreId), zone: name },
      { requiredKeys: ['nodeId'] },
    );
    roundTrips(open, requests.openSessionToWire, requests.openSessionSchema);
    const held = fc.array(fc.record({ ...resource, token, offset: count, total: count }), { maxLength: 5 });
    const heartbeat = fc.record({ held, draining: fc.boolean() }, { requiredKeys: ['held'] });
    roundTrips(heartbeat, requests.heartbeatToWire, requests.heartbeatSchema);
  });

  it('to list come out of a query as they went in', () => {
    const values = fc.record(
      {
        prefix: fc.constantFrom('sha256:', 'sha256:0a', 'ff', 'sha512:1'),
        limit: fc.integer({ min: 1, max: 10_000 }),
      },
      optional,
    );
    roundTrips(values, (value) => Object.fromEntries(requests.listToQuery(value)), requests.listSchema);
  });

  it('cut an error that would not fit into a body', () => {
    const outcome = { success: false as const, error: 'x'.repeat(100_000), class: 'node' as const };
    const base = {
      type: 'pull' as const,
      resourceId: `sha256:${'0'.repeat(64)}` as Digest,
      nodeId: toNodeId('a'),
    };
    expect(JSON.stringify(requests.releaseToWire({ ...base, outcome })).length).toBeLessThan(2_000);
  });
});

describe('replies', () => {
  it('to acquire come out as they went in', () => {
    const values: fc.Arbitrary<AcquireReply> = fc.oneof(
      fc.record({
        kind: fc.constant('granted' as const),
        token,
        ttlMs: count,
        source: fc.constant({ kind: 'registry' as const }),
      }),
      fc.record({ kind: fc.constant('skip' as const), by: holder }, { requiredKeys: ['kind'] }),
      fc.record(
        { kind: fc.constant('queued' as const), position, holder },
        { requiredKeys: ['kind', 'position'] },
      ),
    );
    roundTrips(values, (reply) => replies.acquireReplyToWire(reply).body, replies.acquireReplySchema);
    const refused = fc.record({
      kind: fc.constant('refused' as const),
      reason: fc.constantFrom('content' as const, 'limit' as const, 'taken' as const),
      message: text,
    });
    roundTrips(refused, (reply) => replies.acquireReplyToWire(reply).body, replies.refusalSchema);
  });

  it('that grant without a token, or queue without a position, are none', () => {
    const problem = (body: unknown) => parse(replies.acquireReplySchema, body);
    expect(problem({ acquired: true })).toEqual({ ok: false, problem: 'the body has no token' });
    expect(problem({ acquired: true, token: 1 })).toEqual({ ok: false, problem: 'the body has no ttl_ms' });
    expect(problem({ acquired: false })).toEqual({ ok: false, problem: 'the body has no position' });
    expect(problem({})).toEqual({ ok: false, problem: 'acquired is missing' });
  });

  it('take the registry where a source is of a kind they do not know', () => {
    const body = { acquired: true, token: 1, ttl_ms: 5, source: { kind: 'peer', url: 'http://x' } };
    expect(parse(replies.acquireReplySchema, body)).toMatchObject({
      ok: true,
      value: { source: { kind: 'registry' } },
    });
  });

  it('to release come out as they went in', () => {
    const values: fc.Arbitrary<ReleaseReply> = fc.oneof(
      fc.constant({ kind: 'released' as const }),
      fc.record({ kind: fc.constantFrom('conflict' as const, 'not-holder' as const), message: text }),
    );
    fc.assert(
      fc.property(values, (reply) => {
        const { status, body } = replies.releaseReplyToWire(reply);
        expect(replies.releaseReplyFromWire(status, body)).toEqual(reply);
      }),
    );
    expect(replies.releaseReplyFromWire(403, { error: 'forbidden' })).toBeUndefined();
    expect(replies.releaseReplyFromWire(200, undefined)).toBeUndefined();
  });

  it('that open a session come out as they went in', () => {
    const values = fc.record({ sessionId, ttlMs: count, heartbeatMs: count, claimMs: count });
    roundTrips(values, replies.sessionToWire, replies.sessionSchema);
  });

  it('with a status or a list come out as they went in', () => {
    const age = fc.double({ min: 0, max: 1e9, noNaN: true }).map((value) => value + 0);
    const readFrom = fc.oneof(
      fc.constant({ kind: 'registry' as const }),
      fc.record({
        ...{ kind: fc.constant('peer' as const), url: fc.webUrl(), complete: fc.boolean() },
        ...{ nodeId, sessionId },
      }),
    );
    const view: fc.Arbitrary<ResourceView> = fc.record(
      {
        resourceId: digest,
        domain: name,
        holder: fc.record(
          { nodeId, sessionId, type, token, heldMs: age, offset: count, total: count, source: readFrom },
          { requiredKeys: ['nodeId', 'type', 'token', 'heldMs', 'offset', 'total'] },
        ),
        queue: fc.array(
          fc.record(
            { nodeId, sessionId, type, position, waitingMs: age },
            { requiredKeys: ['nodeId', 'type', 'position', 'waitingMs'] },
          ),
          { maxLength: 3 },
        ),
        copies: fc.array(
          fc.record(
            { nodeId, sessionId, ageMs: age, url: fc.webUrl() },
            { requiredKeys: ['nodeId', 'ageMs'] },
          ),
          { maxLength: 3 },
        ),
        lastError: fc.record({ nodeId, message: text, ageMs: age }),
      },
      { requiredKeys: ['resourceId', 'domain', 'queue', 'copies'] },
    );
    const error = fc.string({ minLength: 1 });
    const status = fc.record(
      { acquired: fc.boolean(), completed: fc.boolean(), success: fc.boolean(), error, view },
      { requiredKeys: ['acquired', 'completed', 'success', 'view'] },
    );
    roundTrips(status, views.statusToWire, views.statusReplySchema);
    roundTrips(fc.array(view, { maxLength: 3 }), views.listToWire, views.listReplySchema);
  });
});

describe('events', () => {
  const grant = fc.record({ ...resource, token, waiters: count });
  const place = fc.record(
    { ...resource, position, holder, progress: fc.record({ offset: count, total: count }) },
    { requiredKeys: ['type', 'resourceId', 'position'] },
  );
  const kind = <K extends string>(value: K) => fc.constant(value);
  const sessionEvents: fc.Arbitrary<SessionEvent> = fc.oneof(
    fc.record({
      kind: kind('snapshot'),
      granted: fc.array(grant, { maxLength: 3 }),
      queued: fc.array(place, { maxLength: 3 }),
    }),
    grant.map((value) => ({ kind: 'granted' as const, ...value })),
    place.map((value) => ({ kind: 'queued' as const, ...value })),
    fc.record(
      { kind: kind('completed'), ...resource, by: holder },
      { requiredKeys: ['kind', 'type', 'resourceId'] },
    ),
    fc.record({ kind: kind('failed'), ...resource, error: text }),
    fc.record({ kind: kind('revoked'), ...resource, token, reason: text }),
    fc.constant({ kind: 'ping' as const }),
  );

  it('tell the progress of a holder beside its place, and not by halves', () => {
    const place = { type: 'pull', resource_id: `sha256:${'0'.repeat(64)}`, position: 1 };
    const read = (more: object) => events.sessionEventFromWire('queued', { ...place, ...more });
    const progress = { offset: 3, total: 9 };
    expect(read(progress)).toMatchObject({ ok: true, value: { progress } });
    for (const half of [{}, { offset: 3 }, { total: 9 }, { offset: null, total: 9 }]) {
      const { value } = read(half) as { value: object };
      expect(value).not.toHaveProperty('progress');
    }
    expect(read({ offset: -1, total: 9 })).toMatchObject({ ok: false });
  });

  it('of a session come out as they went in', () => {
    fc.assert(
      fc.property(sessionEvents, (event) => {
        const wire = JSON.parse(JSON.stringify(events.sessionEventToWire(event)));
        expect(events.sessionEventFromWire(event.kind, wire)).toEqual({ ok: true, value: event });
      }),
    );
  });

  it('of a name that nobody knows are none, and of a known name must be whole', () => {
    expect(events.sessionEventFromWire('later', {})).toBeUndefined();
    expect(events.sessionEventFromWire('constructor', {})).toBeUndefined();
    expect(events.sessionEventFromWire('granted', {})).toMatchObject({ ok: false });
    expect(events.sessionEventFromWire('source', {})).toMatchObject({ ok: false });
  });

  it('of a resource come out as they went in', () => {
    const values = fc.record(
      {
        ...resource,
        nodeId: fc.oneof(nodeId, fc.constant(toNodeId(''))),
        success: fc.boolean(),
        error: text,
        completedAtMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      },
      { requiredKeys: ['type', 'resourceId', 'nodeId', 'success', 'error'] },
    );
    roundTrips(values, events.resourceEventToWire, events.resourceEventSchema);
  });
});

describe('whatever comes from the network', () => {
  const schemas: Record<string, Schema<unknown>> = {
    acquire: requests.acquireSchema,
    unlock: requests.unlockSchema,
    status: requests.statusSchema,
    subscribe: requests.subscribeSchema,
    open: requests.openSessionSchema,
    heartbeat: requests.heartbeatSchema,
    list: requests.listSchema,
    acquireReply: replies.acquireReplySchema,
    statusReply: views.statusReplySchema,
    listReply: views.listReplySchema,
    snapshot: events.snapshotSchema,
    resourceEvent: events.resourceEventSchema,
  };

  it.each(Object.entries(schemas))('is taken or refused with a problem: %s', (_, schema) => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        const parsed = parse(schema, input);
        if (!parsed.ok) expect(parsed.problem).toMatch(/^\S.*\S$/s);
      }),
    );
  });

  it('cannot reach a prototype', () => {
    const body = `{"__proto__":{"force":true},"type":"pull","resource_id":"sha256:${'0'.repeat(64)}","node_id":"a"}`;
    const parsed = parse(requests.acquireSchema, JSON.parse(body));
    expect(parsed).toEqual({
      ok: true,
      value: { type: 'pull', resourceId: `sha256:${'0'.repeat(64)}`, nodeId: 'a' },
    });
    expect(Object.getPrototypeOf(parsed.ok ? parsed.value : undefined)).toBe(Object.prototype);
  });
});
