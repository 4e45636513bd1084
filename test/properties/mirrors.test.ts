import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/core/errors.ts';
import { runLayer } from '../../src/hooks/layer.ts';
import type { LayerEvent } from '../../src/hooks/layer-events.ts';
import { resuming } from '../../src/source/resume.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createFakeSessionLocks } from '../support/fake-session-locks.ts';
import { inTurn, type Step, scripted } from '../support/scripted-sources.ts';

const layer = blobOf('0123456789abcdef');
const wrongBytes = Buffer.from(layer.bytes.map((byte) => byte ^ 0xff));

/** What one server does: whether its bytes are right, and how its first openings end. */
interface Server {
  readonly right: boolean;
  readonly script: readonly Step[];
}

const passing: readonly ErrorCode[] = [
  'registry_unreachable',
  'registry_failed',
  'registry_stalled',
  'rate_limited',
];
const final: readonly ErrorCode[] = ['blob_not_found', 'access_denied', 'registry_protocol', 'size_mismatch'];
const bytes = fc.integer({ min: 0, max: layer.size - 1 });

const mirror: fc.Arbitrary<Server> = fc.record({
  right: fc.boolean(),
  script: fc.array(fc.record({ bytes, code: fc.constantFrom(...passing, ...final) }), { maxLength: 3 }),
});
/** The registry itself is right, and what goes wrong with it passes. */
const registry: fc.Arbitrary<Server> = fc.record({
  right: fc.constant(true),
  script: fc.array(fc.record({ bytes, code: fc.constantFrom(...passing) }), { maxLength: 2 }),
});
const rotten = fc.option(fc.integer({ min: 1, max: layer.size }), { nil: 0 });

interface Run {
  readonly stored: Uint8Array | undefined;
  readonly events: readonly LayerEvent[];
}

async function pull(servers: readonly Server[], rottenBytes: number): Promise<Run> {
  const store = createFakeBlobStore();
  if (rottenBytes > 0) store.partials.set(layer.digest, wrongBytes.subarray(0, rottenBytes));
  const clock = createFakeClock();
  const events: LayerEvent[] = [];
  const sources = servers.map(({ right, script }, index) =>
    scripted(`server-${index}`, right ? layer.bytes : wrongBytes, script),
  );
  const source = resuming(inTurn(sources), { clock, random: () => 0 });
  let over = false;
  const work = runLayer(layer, {
    ...{ store, clock, locks: createFakeSessionLocks(), signal: new AbortController().signal },
    download: (context) => source.open(layer, context),
    onEvent: (event) => events.push(event),
  }).finally(() => {
    over = true;
  });
  work.catch(() => {});
  while (!over) await clock.advance(60_000);
  await work;
  return { stored: store.blobs.get(layer.digest), events };
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

describe('a layer with several servers, whatever fails where', () => {
  it('gets the right bytes, and asks for none twice but after wrong ones', async () => {
    const schedules = fc.tuple(fc.array(mirror, { maxLength: 3 }), registry, rotten);
    await fc.assert(
      fc.asyncProperty(schedules, async ([mirrors, own, rottenBytes]) => {
        const servers = [...mirrors, own];
        const { stored, events } = await pull(servers, rottenBytes);
        expect(stored).toEqual(layer.bytes);
        for (const [asked, reached] of askedAndReached(events)) expect(asked).toBe(reached);
        // One start at zero for rotten bytes, and for each server at most one as one of several and one alone.
        const starts = events.filter(({ kind }) => kind === 'started').length;
        expect(starts).toBeLessThanOrEqual(2 + 2 * servers.length);
        const isClean = servers.every(({ right }) => right) && rottenBytes === 0;
        if (isClean) expect(starts).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
