import { renderTable } from './table.ts';
import { formatBytes, formatDuration, oneLine } from './text.ts';

/** What the end of a demo shows; the document of `demo --json` has it. */
export interface DemoOutcome {
  readonly nodes: readonly string[];
  /** The config first. */
  readonly layers: readonly {
    readonly digest: string;
    /** Bytes. */
    readonly size: number;
    readonly outcomes: Readonly<Record<string, string>>;
  }[];
  readonly bytesFromRegistry: number;
  readonly bytesOfSeparatePulls: number;
  readonly durationMs: number;
}

/** More columns than these are hard to read: then a column says who downloaded the layer, the next what the others did. */
const maxNodeColumns = 4;

/** The table of layers and nodes, and below it what the registry sent. */
export async function renderDemo(outcome: DemoOutcome): Promise<string> {
  const isWide = outcome.nodes.length > maxNodeColumns;
  const head = isWide ? ['downloaded by', 'the others'] : outcome.nodes;
  const rows = outcome.layers.map((layer, index) => [
    `${shortName(layer.digest)}${index === 0 ? ' (config)' : ''}`,
    formatBytes(layer.size),
    ...(isWide ? groupOutcomes(layer.outcomes) : outcome.nodes.map((node) => layer.outcomes[node] ?? '')),
  ]);
  const table = await renderTable(['layer', 'size', ...head], rows);
  return `${table}\n\n${renderSavings(outcome)}`;
}

/** `registry sent 39 MiB; 2 separate pulls would have taken 78 MiB (3.4 s)` */
export function renderSavings(outcome: DemoOutcome): string {
  const { nodes, bytesFromRegistry, bytesOfSeparatePulls, durationMs } = outcome;
  const sent = `registry sent ${formatBytes(bytesFromRegistry)}`;
  const separate = `${nodes.length} separate pulls would have taken ${formatBytes(bytesOfSeparatePulls)}`;
  return `${sent}; ${separate} (${formatDuration(durationMs)})`;
}

/** `['node-c', 'skipped 12, present 3']` */
function groupOutcomes(outcomes: Readonly<Record<string, string>>): [string, string] {
  const downloaders: string[] = [];
  const counts = new Map<string, number>();
  for (const [node, outcome] of Object.entries(outcomes)) {
    if (outcome === 'downloaded') downloaders.push(node);
    else counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  const others = [...counts].map(([outcome, count]) => `${outcome} ${count}`);
  return [downloaders.join(', '), others.join(', ')];
}

function shortName(digest: string): string {
  return oneLine(digest).slice(0, digest.indexOf(':') + 13);
}
