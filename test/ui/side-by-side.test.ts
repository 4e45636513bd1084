import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { toNodeId } from '../../src/core/ids.ts';
import type { Frame, OpenFrame } from '../../src/ui/progress.ts';
import { applyEvent, createProgressState } from '../../src/ui/progress-state.ts';
import type { ProgressOptions } from '../../src/ui/progress-view.ts';
import { createSideBySide, createSideBySideLines, type NodeEvent } from '../../src/ui/side-by-side.ts';
import { type NodeProgress, renderSideBySide } from '../../src/ui/side-by-side-picture.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { configDigest, firstLayer, pullEvents, secondLayer } from '../support/pull-events.ts';

const { resolved, warning } = pullEvents;
const registry = { kind: 'registry' } as const;
const size = 4_194_304;

function finished(digest: Digest, bytes: number, outcome: 'downloaded' | 'skipped'): NodeEvent {
  return { kind: 'finished', digest, size: bytes, outcome, source: registry, bytes, durationMs: 10 };
}

const eventsOfA: NodeEvent[] = [
  resolved,
  finished(configDigest, 1_000, 'downloaded'),
  { kind: 'downloading', digest: firstLayer, offset: 0, size, source: registry },
];
const eventsOfB: NodeEvent[] = [
  resolved,
  finished(configDigest, 1_000, 'skipped'),
  { kind: 'waiting', digest: firstLayer, holder: toNodeId('node-a'), position: 1 },
  { kind: 'failed', digest: secondLayer, code: 'registry_failed', message: 'the registry answered 500' },
];

function nodeOf(node: string, events: readonly NodeEvent[]): NodeProgress {
  const state = createProgressState(0);
  for (const event of events) applyEvent(state, event, 0);
  return { node, state };
}

function twoNodes(): NodeProgress[] {
  const a = nodeOf('node-a', eventsOfA);
  applyEvent(a.state, { kind: 'progress', digest: firstLayer, offset: size / 2, size }, 1_000);
  return [a, nodeOf('node-b', eventsOfB)];
}

const options = { nowMs: 1_000, color: false };

describe('the picture', () => {
  it('has a column per node at 80 columns', () => {
    expect(renderSideBySide(twoNodes(), { ...options, columns: 80 })).toEqual([
      '                       node-a                       node-b',
      'cccccccccccc   1000 B  downloaded                   skipped',
      '111111111111    4 MiB  [####----]  50% 2 MiB/s      waiting for node-a',
      '222222222222    2 MiB  pending                      failed',
      'in all                 2 MiB read                   0 B read',
    ]);
  });

  it('says more at 200 columns', () => {
    const lines = renderSideBySide(twoNodes(), { ...options, columns: 200 });
    expect(lines[2]).toContain('[############------------]  50% 2 MiB/s');
    expect(lines[2]).toContain('waiting for node-a at position 1');
    expect(lines[3]).toContain('failed: the registry answered 500');
  });

  it('says less at 40 columns', () => {
    const lines = renderSideBySide(twoNodes(), { ...options, columns: 40 });
    expect(lines[2]).toMatch(/^111111 {2}\[#+-+\] {2}50% {2}waiting/);
  });

  it.each([20, 40, 41, 59, 60, 80, 121, 200])('keeps every line within %i columns', (columns) => {
    for (const nodes of [
      twoNodes(),
      Array.from({ length: 16 }, (_, index) => nodeOf(`node-${index}`, eventsOfB)),
    ]) {
      for (const line of renderSideBySide(nodes, { ...options, columns })) {
        expect(line.length).toBeLessThanOrEqual(columns);
      }
    }
  });

  it('has a line per node where columns do not fit', () => {
    const nodes = [...twoNodes(), ...'cdefgh'.split('').map((letter) => nodeOf(`node-${letter}`, []))];
    expect(renderSideBySide(nodes, { ...options, columns: 80 }).slice(0, 3)).toEqual([
      'node-a  1/3 blobs, 2 MiB read, downloading 1',
      'node-b  1/3 blobs, 0 B read, waiting for 1',
      'node-c  starting',
    ]);
  });

  it('shows the nodes before any of them knows the image', () => {
    const nodes = [nodeOf('node-a', []), nodeOf('node-b', [])];
    expect(renderSideBySide(nodes, { ...options, columns: 80 })).toEqual([
      'node-a  starting',
      'node-b  starting',
    ]);
  });

  it('leaves out what is finished first where the terminal is low', () => {
    const lines = renderSideBySide(twoNodes(), { ...options, columns: 80, rows: 4 });
    expect(lines).toHaveLength(4);
    expect(lines.join('\n')).not.toContain('cccccc');
  });

  it('counts the nodes that a low terminal has no line for', () => {
    const nodes = Array.from({ length: 16 }, (_, index) => nodeOf(`node-${index}`, eventsOfB));
    const lines = renderSideBySide(nodes, { ...options, columns: 80, rows: 5 });
    expect(lines).toHaveLength(5);
    expect(lines[4]).toBe('… 12 more nodes');
  });

  it('never passes control characters on', () => {
    const events: NodeEvent[] = [
      resolved,
      { kind: 'waiting', digest: firstLayer, holder: toNodeId('evil\u001b[2J'), position: 1 },
    ];
    const text = renderSideBySide([nodeOf('node-a', events)], { ...options, columns: 200 }).join('\n');
    expect(text).toContain('evil');
    expect(text).not.toContain('\u001b');
  });

  it('is coloured on demand, without moving a column', () => {
    const plain = renderSideBySide(twoNodes(), { ...options, columns: 80 });
    const coloured = renderSideBySide(twoNodes(), { ...options, columns: 80, color: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this removes colour
    const stripped = coloured.map((line) => line.replace(/\u001b\[\d+m/g, '').trimEnd());
    expect(stripped).toEqual(plain);
    expect(coloured).not.toEqual(plain);
  });
});

function record() {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), columns: 80, rows: 24 };
  const given: ProgressOptions = { stream, clock: createFakeClock(0), color: false, warnings: true };
  let picture = () => '';
  const left: string[] = [];
  const frame: Frame = { leave: (symbol) => left.push(symbol), remove() {} };
  const openFrame: OpenFrame = (_options, draw) => {
    picture = draw;
    return frame;
  };
  return { written, given, openFrame, left, picture: () => picture() };
}

describe('the view on a terminal', () => {
  it('draws all nodes below its title', () => {
    const { given, openFrame, picture } = record();
    const view = createSideBySide(['node-a', 'node-b'], '2 nodes pull busybox', given, openFrame);
    for (const event of eventsOfA) view.handle('node-a', event);
    for (const event of eventsOfB) view.handle('node-b', event);
    view.handle('node-x', resolved);
    const lines = picture().split('\n');
    expect(lines[0]).toBe('2 nodes pull busybox');
    expect(lines[1]).toContain('node-b');
    expect(lines).toHaveLength(6);
  });

  it('writes warnings beside the frame, with the node', () => {
    const { given, openFrame, written } = record();
    createSideBySide(['node-a'], 'title', given, openFrame).handle('node-a', warning);
    expect(written).toEqual([
      'node-a: warning: cannot reach the lock server (start it with layerpull serve)\n',
    ]);
  });

  it('leaves its last picture once, as a failure unless every node has all', () => {
    const unfinished = record();
    const view = createSideBySide(['node-a'], 'title', unfinished.given, unfinished.openFrame);
    for (const event of eventsOfA) view.handle('node-a', event);
    view.close();
    view.close();
    expect(unfinished.left).toEqual(['✖']);

    const complete = record();
    const other = createSideBySide(['node-a'], 'title', complete.given, complete.openFrame);
    other.handle('node-a', resolved);
    for (const digest of [configDigest, firstLayer, secondLayer])
      other.handle('node-a', finished(digest, 1, 'skipped'));
    other.close();
    expect(complete.left).toEqual(['✔']);
  });
});

describe('the view without a terminal', () => {
  it('has a line per change that begins with the node', () => {
    const { given, written } = record();
    const view = createSideBySideLines('2 nodes pull busybox', given);
    for (const event of eventsOfB) view.handle('node-b', event);
    view.handle('node-b', pullEvents.progress);
    view.handle('node-a', warning);
    view.close();
    view.handle('node-a', resolved);
    expect(written.join('').trimEnd().split('\n')).toEqual([
      '2 nodes pull busybox',
      'node-b: docker.io/library/busybox:latest: resolved to sha256:aaaaaaaaaaaa, 3 blobs',
      'node-b: sha256:cccccccccccc: skipped (another process brought it)',
      'node-b: sha256:111111111111: waiting for node-a at position 1',
      'node-b: sha256:222222222222: failed: the registry answered 500',
      'node-a: warning: cannot reach the lock server (start it with layerpull serve)',
    ]);
  });
});
