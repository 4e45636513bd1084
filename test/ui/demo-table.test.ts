import { expect, test } from 'vitest';
import { type DemoOutcome, renderDemo } from '../../src/ui/demo-table.ts';
import { configDigest, firstLayer } from '../support/pull-events.ts';

const MiB = 1_048_576;

function outcomeOf(nodes: readonly string[], outcomes: Readonly<Record<string, string>>): DemoOutcome {
  return {
    nodes,
    layers: [
      { digest: configDigest, size: 500, outcomes: { ...outcomes, 'node-b': 'present' } },
      { digest: firstLayer, size: 5 * MiB, outcomes },
    ],
    bytesFromRegistry: 39 * MiB,
    bytesOfSeparatePulls: nodes.length * 39 * MiB,
    durationMs: 3_420,
  };
}

test('each node has a column', async () => {
  const outcome = outcomeOf(['node-a', 'node-b'], { 'node-a': 'downloaded', 'node-b': 'skipped' });
  expect((await renderDemo(outcome)).split('\n')).toEqual([
    'layer                          size    node-a       node-b',
    'sha256:cccccccccccc (config)   500 B   downloaded   present',
    'sha256:111111111111            5 MiB   downloaded   skipped',
    '',
    'registry sent 39 MiB; 2 separate pulls would have taken 78 MiB (3.4 s)',
  ]);
});

test('many nodes share two columns', async () => {
  const nodes = ['node-a', 'node-b', 'node-c', 'node-d', 'node-e'];
  const outcomes = Object.fromEntries(
    nodes.map((node) => [node, node === 'node-c' ? 'downloaded' : 'skipped']),
  );
  const lines = (await renderDemo(outcomeOf(nodes, outcomes))).split('\n');
  expect(lines.slice(0, 3)).toEqual([
    'layer                          size    downloaded by   the others',
    'sha256:cccccccccccc (config)   500 B   node-c          skipped 3, present 1',
    'sha256:111111111111            5 MiB   node-c          skipped 4',
  ]);
});
