import type { PruneResult } from '../orchestrator/prune.ts';
import type { RemoveResult } from '../orchestrator/remove.ts';
import { formatBytes, plural } from './text.ts';

/** As docker says it: a line for each name, then one for each blob. */
export function renderRemoved({ untagged, deleted }: RemoveResult): string {
  const names = [...new Set(untagged.map(({ name }) => name))];
  return [
    ...names.map((name) => `Untagged: ${name}`),
    ...deleted.map(({ digest }) => `Deleted: ${digest}`),
  ].join('\n');
}

/** A line for each thing, then the sum. */
export function renderPruned({ dryRun, blobs, leftovers, bytesFreed }: PruneResult): string {
  const verb = dryRun ? 'Would delete' : 'Deleted';
  const lines = [
    ...blobs.map(({ digest, size }) => `${verb}: ${digest} (${formatBytes(size)})`),
    ...leftovers.map(({ kind, digest, bytes }) => `${verb}: ${kind} of ${digest} (${formatBytes(bytes)})`),
  ];
  const sum = dryRun ? 'Would free' : 'Freed';
  return [...lines, `${sum}: ${formatBytes(bytesFreed)} in ${plural(lines.length, 'item')}`].join('\n');
}
