import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../src/core/ids.ts';
import { renderFrame, renderSummary } from '../../src/ui/frame.ts';
import { applyEvent, createProgressState, type ProgressState } from '../../src/ui/progress-state.ts';
import { configDigest, digestOfDigit, pullEvents, pullResult, secondLayer } from '../support/pull-events.ts';

const wide = { columns: 100, nowMs: 2_000, color: false };

function stateAfter(...events: Parameters<typeof applyEvent>[1][]): ProgressState {
  const state = createProgressState(0);
  for (const [index, event] of events.entries()) applyEvent(state, event, index * 1_000);
  return state;
}

const header = 'docker.io/library/busybox:latest (linux/amd64)';

describe('the frame of a pull', () => {
  it('says that the image is being resolved before anything is known', () => {
    expect(renderFrame(createProgressState(0), wide)).toEqual(['resolving']);
  });

  it('has a line for the image and one for each layer', () => {
    const { resolved, downloading, progress, waiting } = pullEvents;
    const state = stateAfter(resolved, downloading, progress, waiting);
    expect(renderFrame(state, { ...wide, nowMs: 2_000 })).toEqual([
      `${header} 0/3`,
      '  sha256:cccccccccccc  pending',
      '  sha256:111111111111  [#####---------------] 1/4 MiB  1 MiB/s  downloading',
      '  sha256:222222222222  waiting for node-b at position 2',
    ]);
  });

  it('says what became of each layer', () => {
    const { resolved, finished, failed } = pullEvents;
    const state = stateAfter(
      resolved,
      finished,
      { ...failed, digest: secondLayer },
      { ...finished, digest: configDigest, size: 1_000, outcome: 'present', source: { kind: 'store' } },
    );
    expect(renderFrame(state, wide)).toEqual([
      `${header} 2/3`,
      '  sha256:cccccccccccc  present',
      '  sha256:111111111111  verified (2 MiB from the registry, 2 MiB from peers)',
      '  sha256:222222222222  failed: the registry answered 500',
    ]);
  });

  it('names the node that brought a skipped layer, when it is known', () => {
    const { resolved, finished } = pullEvents;
    const skipped = { ...finished, outcome: 'skipped', digest: secondLayer } as const;
    const known = stateAfter(resolved, { ...skipped, source: { kind: 'store', node: toNodeId('node-b') } });
    const unknown = stateAfter(resolved, { ...skipped, source: { kind: 'store' } });
    expect(renderFrame(known, wide)[3]).toBe('  sha256:222222222222  skipped (node-b brought it)');
    expect(renderFrame(unknown, wide)[3]).toBe('  sha256:222222222222  skipped (another process brought it)');
  });

  it('shows a retry until bytes flow again', () => {
    const { resolved, downloading, retrying } = pullEvents;
    const state = stateAfter(resolved, downloading, retrying);
    expect(renderFrame(state, wide)[2]).toBe('  sha256:111111111111  retrying: connection reset');
    applyEvent(state, downloading, 3_000);
    expect(renderFrame(state, { ...wide, nowMs: 3_000 })[2]).toContain('[----');
  });

  it('says how much of the image is written elsewhere', () => {
    const { resolved, exporting } = pullEvents;
    expect(renderFrame(stateAfter(resolved, exporting), wide)[0]).toBe(
      `${header} 0/3, writing /tmp/busybox.tar 33%`,
    );
    const stdout = stateAfter(resolved, { ...exporting, path: '-', offset: 0, size: 0 });
    expect(renderFrame(stdout, wide)[0]).toBe(`${header} 0/3, writing stdout 0%`);
  });

  it('drops the bar on a narrow terminal', () => {
    const { resolved, downloading, progress } = pullEvents;
    const state = stateAfter(resolved, downloading, progress);
    expect(renderFrame(state, { ...wide, columns: 50 })[2]).toBe(
      '  sha256:111111111111  25%  1/4 MiB  1 MiB/s',
    );
  });

  it('shows the active layers of many, and counts the rest', () => {
    const layers = [...'0123456789abcdef'].map((digit) => ({
      mediaType: 'x',
      digest: digestOfDigit(digit),
      size: 1_024,
    }));
    const state = stateAfter({ ...pullEvents.resolved, layers });
    applyEvent(state, { ...pullEvents.downloading, digest: digestOfDigit('e'), size: 1_024 }, 2_000);
    const frame = renderFrame(state, { ...wide, rows: 5 });
    expect(frame).toHaveLength(5);
    expect(frame.at(-2)).toBe('  sha256:eeeeeeeeeeee  [--------------------] 0/1 KiB  downloading');
    expect(frame.at(-1)).toBe('  … 13 more');
  });

  it('fits the terminal, whatever its size', () => {
    const state = stateAfter(pullEvents.resolved, pullEvents.downloading, pullEvents.waiting);
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 120 }), fc.integer({ min: 3, max: 10 }), (columns, rows) => {
        const frame = renderFrame(state, { columns, rows, nowMs: 5_000, color: false });
        expect(frame.length).toBeLessThanOrEqual(rows);
        for (const line of frame) expect(line.length).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it('has colour only when asked to', () => {
    const state = stateAfter(pullEvents.resolved, pullEvents.finished);
    expect(renderFrame(state, wide).join('')).not.toContain('\u001b');
    expect(renderFrame(state, { ...wide, color: true })[2]).toContain('\u001b[32m');
  });
});

describe('the summary', () => {
  it('says what was written elsewhere', () => {
    const output = { kind: 'docker-archive', path: '/tmp/x.tar', bytes: 4_194_304 } as const;
    expect(renderSummary({ ...pullResult, output })).toContain('1 skipped; wrote 4 MiB to /tmp/x.tar; 1.3 s');
  });

  it('says what was transferred and what was not', () => {
    expect(renderSummary(pullResult)).toBe(
      'docker.io/library/busybox:latest: 2 layers and the config: 2 downloaded (4 MiB from registry), 1 skipped; 1.3 s',
    );
  });
});
