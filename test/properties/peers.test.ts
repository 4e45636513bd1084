import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { isLayerpullError } from '../../src/core/errors.ts';
import { runLayer } from '../../src/hooks/layer.ts';
import type { LayerEvent } from '../../src/hooks/layer-events.ts';
import type { Source } from '../../src/lock/sources.ts';
import { guided } from '../../src/peer/guided.ts';
import { createPeerHealth } from '../../src/peer/peer-health.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { fakeGuide, hurried, madeLayer, peerAt, registrySource, testPeers } from '../peer/support.ts';
import { createFakeSessionLocks } from '../support/fake-session-locks.ts';
import { inTurn, scripted } from '../support/scripted-sources.ts';
import { soakProperty } from '../support/soak.ts';
import { tempDir } from '../support/temp.ts';

const layer = madeLayer(40_000);
const wrongBytes = Buffer.from(layer.bytes.map((byte) => byte ^ 0xff));

/** What a peer does with one request. */
const behaviour = fc.record({
  status: fc.constantFrom(206, 206, 206, 206, 200, 301, 404, 416, 429, 500, 503),
  range: fc.constantFrom('right', 'right', 'right', 'shifted', 'none', 'nonsense'),
  length: fc.constantFrom('right', 'right', 'none', 'short', 'long'),
  encoding: fc.constantFrom('none', 'none', 'none', 'none', 'gzip'),
  isRight: fc.constantFrom(true, true, false),
  gives: fc.oneof(fc.constant(layer.size), fc.nat(layer.size)),
  end: fc.constantFrom('end', 'end', 'break', 'hang', 'endless'),
});
type Behaviour = typeof behaviour extends fc.Arbitrary<infer T> ? T : never;

/** Peers by number, each with what it does with its requests in turn; any behind those are served well. */
const scripts = fc.array(fc.array(behaviour, { maxLength: 4 }), { minLength: 1, maxLength: 4 });
/** Where the guide sends the reader, one answer after the other: a peer's number, complete or not, or the registry. */
const word = fc.option(fc.record({ peer: fc.nat(3), complete: fc.boolean() }), { nil: undefined });
/** When the guide says something unasked: after so many pieces. */
const moves = fc.array(fc.record({ after: fc.nat(12), word }), { maxLength: 4 });

let script: Behaviour[][] = [];
let port = 0;
const sockets = new Set<Socket>();
const server = createServer((request, response) => {
  const number = Number(/peer-(\d)/.exec(request.headers.host ?? '')?.[1] ?? 0);
  const [, offset = '0'] = /bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
  if (request.method === 'HEAD') return void response.writeHead(206, { 'layerpull-bytes': offset }).end();
  const todo = script[number]?.shift();
  if (todo) misbehave(response, todo, Number(offset));
  else answer(response, 206, Number(offset)).end(layer.bytes.subarray(Number(offset)));
});
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

function answer(
  response: ServerResponse,
  status: number,
  offset: number,
  headers: Record<string, string> = {},
) {
  const place = status === 206 ? { 'content-range': `bytes ${offset}-${layer.size - 1}/${layer.size}` } : {};
  return response.writeHead(status, { ...place, ...headers });
}

function misbehave(response: ServerResponse, todo: Behaviour, offset: number): void {
  const { status, range, length, encoding, isRight, gives, end } = todo;
  const from = status === 206 ? offset : 0;
  const lengths = { right: layer.size - from, none: undefined, short: gives, long: 2 * layer.size }[length];
  answer(response, status, offset, {
    ...(range === 'shifted' ? { 'content-range': `bytes 1-${layer.size - 1}/${layer.size}` } : {}),
    ...(range === 'nonsense' ? { 'content-range': 'bytes of mine' } : {}),
    ...(range === 'none' ? { 'content-range': '' } : {}),
    ...(encoding === 'none' ? {} : { 'content-encoding': encoding }),
    ...(lengths === undefined ? {} : { 'content-length': String(lengths) }),
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  });
  // What does not fit the length that was stated breaks the connection.
  response.on('error', () => {});
  response.write((isRight ? layer.bytes : wrongBytes).subarray(from, from + gives), () =>
    finish(response, end),
  );
}

function finish(response: ServerResponse, end: Behaviour['end']): void {
  if (end === 'end') response.end();
  if (end === 'break') response.destroy();
  if (end === 'endless' && !response.destroyed) {
    response.write(wrongBytes, (error) => void (error || setImmediate(() => finish(response, end))));
  }
}

interface Case {
  readonly scripts: Behaviour[][];
  readonly first: { readonly peer: number; readonly complete: boolean } | undefined;
  readonly answers: ({ readonly peer: number; readonly complete: boolean } | undefined)[];
  readonly moves: { readonly after: number; readonly word: Case['first'] }[];
  readonly registry: 'works' | 'breaks' | 'is away';
}

const cases: fc.Arbitrary<Case> = fc.record({
  scripts,
  first: word,
  answers: fc.array(word, { maxLength: 12 }),
  moves,
  registry: fc.constantFrom('works', 'works', 'breaks', 'is away'),
});

const urlOf = (peer: number) => `http://peer-${peer}.localhost:${port}`;
const sourceOf = (one: Case['first']): Source =>
  one ? peerAt(urlOf(one.peer), one.complete) : registrySource;

function registryOf(kind: Case['registry']) {
  const steps = { works: 0, breaks: 1, 'is away': 1_000 }[kind];
  const bytes = kind === 'breaks' ? 100 : 0;
  const away = Array.from({ length: steps }, () => ({ bytes, code: 'registry_unreachable' as const }));
  return inTurn([scripted('registry', layer.bytes, away)]);
}

async function pull(one: Case) {
  script = one.scripts.map((steps) => [...steps]);
  const clock = hurried(100);
  const { blobs } = await openStore({ path: path.join(tempDir(), 'store'), clock: systemClock });
  const guide = fakeGuide(sourceOf(one.first), one.answers.map(sourceOf));
  const peers = testPeers({ clock });
  const warnings: string[] = [];
  const health = createPeerHealth((message) => warnings.push(message));
  const source = guided({ guide, registry: registryOf(one.registry), peers, health, clock });
  const events: LayerEvent[] = [];
  let pieces = 0;
  const work = runLayer(layer, {
    ...{ store: blobs, clock, locks: createFakeSessionLocks(), signal: new AbortController().signal },
    async *download(context) {
      for await (const piece of source.open(layer, context)) {
        yield piece;
        for (const { word: to } of one.moves.filter(({ after }) => after === pieces))
          guide.move(sourceOf(to));
        pieces += 1;
      }
    },
    onEvent: (event) => events.push(event),
  });
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const stored = await blobs.has(layer);
  await peers.close();
  return { error, stored, events, guide, warnings };
}

/** Every place at which a source was asked, with the place that was reached then. */
function askedAndReached(events: readonly LayerEvent[]): [number, number][] {
  const pairs: [number, number][] = [];
  let reached = 0;
  for (const event of events) {
    if (event.kind === 'source') pairs.push([event.offset, reached]);
    if (event.kind === 'started' || event.kind === 'progress') reached = event.offset;
  }
  return pairs;
}

describe('a layer from peers', () => {
  it('is whole and right, or there is an error, whatever they do; each goes on where the one before ended', async () => {
    await soakProperty(
      fc.asyncProperty(cases, async (one) => {
        const { error, stored, events, guide, warnings } = await pull(one);
        expect(stored).toBe(error === undefined);
        if (error !== undefined) expect(isLayerpullError(error)).toBe(true);
        // As long as the registry gives what it has, peers change nothing about the end.
        if (one.registry === 'works') expect(error).toBeUndefined();
        for (const [asked, reached] of askedAndReached(events)) expect(asked).toBe(reached);
        expect(guide.listeners()).toBe(0);
        expect(warnings.length).toBeLessThanOrEqual(1);
      }),
      0.6,
    );
  });

  it('has no relay reported for wrong bytes', async () => {
    const relays = cases.map((one) => ({
      ...one,
      first: one.first && { ...one.first, complete: false },
      answers: one.answers.map((answer) => answer && { ...answer, complete: false }),
      moves: one.moves.map((move) => ({ ...move, word: move.word && { ...move.word, complete: false } })),
    }));
    await soakProperty(
      fc.asyncProperty(relays, async (one) => {
        const { guide } = await pull(one);
        expect(guide.blamed().filter((reason) => reason.includes('wrong content'))).toEqual([]);
      }),
      0.3,
    );
  });
});
