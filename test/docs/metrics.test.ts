import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../src/core/ids.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { Outcome } from '../../src/lock/locks.ts';
import { createMetrics } from '../../src/lock/server/metrics.ts';
import { layer } from '../conformance/locks/layers.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'metrics.md'), 'utf8');

interface Measurement {
  readonly name: string;
  readonly kind: string;
  readonly labels: readonly string[];
}

const namesIn = (cell: string) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);

function documented(): Measurement[] {
  const rows = text.matchAll(/^\| `(layerpull_\w+)` \| (\w+) \| ([^|]*)\| \S.* \|$/gm);
  return [...rows].map(([, name = '', kind = '', labels = '']) => ({ name, kind, labels: namesIn(labels) }));
}

/** What is measured of a service in which each kind of thing has happened once. */
async function measured(): Promise<string> {
  const clock = createFakeClock();
  const metrics = createMetrics('1.2.3');
  const locks = createMemoryLocks({ clock, recoveryMs: 0, maxQueue: 2, observe: metrics.observe });
  onCleanup(() => locks.close());
  metrics.countWith(() => locks.counts());
  metrics.clusterWith(() => ({ seats: 3, entriesWritten: 7, applyLagMs: 2 }));
  metrics.committed(1);
  const ask = (node: string) => ({ type: 'pull' as const, resourceId: layer, nodeId: toNodeId(node) });
  const end = (node: string, outcome: Outcome) => locks.release({ ...ask(node), outcome });
  for (const node of ['a', 'b', 'c', 'd']) await locks.acquire(ask(node));
  await clock.advance(1_000);
  await end('a', { success: false, error: 'disk full', class: 'node' });
  await end('b', { success: true });
  return await metrics.text();
}

function measurementsIn(lines: string): Measurement[] {
  const kinds = [...lines.matchAll(/^# TYPE (layerpull_\w+) (\w+)$/gm)];
  return kinds.map(([, name = '', kind = '']) => ({ name, kind, labels: labelsOf(lines, name) }));
}

/** Without the bound that each bucket of a histogram has. */
function labelsOf(lines: string, name: string): string[] {
  const sample = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? \\S+$`, 'm').exec(lines);
  if (!sample) throw new Error(`${name} has no value`);
  return [...(sample[1] ?? '').matchAll(/(\w+)="/g)].map(([, label = '']) => label);
}

describe('docs/metrics.md', () => {
  it('lists every measurement of the lock service with its kind and labels, and no other', async () => {
    const sorted = (list: readonly Measurement[]) => [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(sorted(documented())).toEqual(sorted(measurementsIn(await measured())));
  });

  it('names measurements of the program that are there', async () => {
    const lines = await measured();
    for (const [, name = ''] of text.matchAll(/`((?:process|nodejs)_[\w*]*)`/g)) {
      expect(lines).toMatch(new RegExp(`^# TYPE ${name.replaceAll('*', '\\w+')}\\b`, 'm'));
    }
  });
});
