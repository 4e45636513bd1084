import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../src/core/ids.ts';
import type { PullEvent } from '../../src/orchestrator/events.ts';
import { startTelling } from '../../src/orchestrator/teller.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const blob = blobOf('0123456789');

function setUp() {
  const clock = createFakeClock();
  const events: PullEvent[] = [];
  const onEvent = (event: PullEvent) => void events.push(event);
  const teller = startTelling({ blob, url: 'http://registry', clock, onEvent });
  const started = (offset: number) => teller.tell({ kind: 'started', offset, source: { kind: 'registry' } });
  const source = (url: string, offset: number, reason?: string) =>
    teller.tell({ kind: 'source', url, offset, ...(reason ? { reason } : {}) });
  const progress = (offset: number) => teller.tell({ kind: 'progress', offset });
  const told = () =>
    events.map((event) => ('offset' in event ? `${event.kind} ${event.offset}` : event.kind));
  return { clock, events, teller, started, source, progress, told };
}

describe('what a pull tells of a layer', () => {
  it('begins once it is known who is asked', () => {
    const { events, started, source } = setUp();
    started(3);
    expect(events).toEqual([]);
    source('http://mirror', 3);
    expect(events).toMatchObject([{ kind: 'downloading', offset: 3, source: { url: 'http://mirror' } }]);
  });

  it('begins with the first byte where nobody says whose it is', () => {
    const { events, started, progress } = setUp();
    started(0);
    progress(4);
    expect(events).toMatchObject([{ kind: 'downloading', offset: 0, source: { url: 'http://registry' } }]);
  });

  it('goes on across a switch, with all progress before it and the reason', () => {
    const { events, started, source, progress, told } = setUp();
    started(0);
    source('http://a', 0);
    progress(4);
    source('http://b', 4, 'a fell silent');
    expect(told()).toEqual(['downloading 0', 'progress 4', 'switched 4']);
    expect(events.at(-1)).toEqual({
      kind: 'switched',
      digest: blob.digest,
      offset: 4,
      size: 10,
      source: { kind: 'registry', url: 'http://b' },
      message: 'a fell silent',
    });
  });

  it('is silent about one that is asked again', () => {
    const { started, source, progress, told } = setUp();
    started(0);
    source('http://a', 0);
    progress(4);
    source('http://a', 4);
    expect(told()).toEqual(['downloading 0']);
  });

  it('names the node where the bytes come from a peer', () => {
    const { events, teller, started, source } = setUp();
    started(0);
    teller.tell({ kind: 'source', url: 'http://10.0.0.2:7041', offset: 0, peer: toNodeId('node-b') });
    source('http://registry', 0, 'node-b fell silent');
    expect(events.map((event) => ('source' in event ? event.source : undefined))).toEqual([
      { kind: 'peer', url: 'http://10.0.0.2:7041', node: 'node-b' },
      { kind: 'registry', url: 'http://registry' },
    ]);
  });

  it('ends with the last progress, and with its timer', async () => {
    const { clock, teller, started, source, progress, told } = setUp();
    started(0);
    source('http://a', 0);
    progress(4);
    await clock.advance(100);
    progress(10);
    teller.stop();
    expect(told()).toEqual(['downloading 0', 'progress 4', 'progress 10']);
    expect(clock.pending()).toBe(0);
  });
});
