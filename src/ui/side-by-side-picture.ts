import { type Digest, digestHex } from '../core/digest.ts';
import { createPalette, type Paint } from './color.ts';
import { type LayerState, type ProgressState, rateOf } from './progress-state.ts';
import { formatBytes, oneLine, plural, truncate } from './text.ts';

/** One node's pull, as far as it is known. */
export interface NodeProgress {
  readonly node: string;
  readonly state: ProgressState;
}

export interface PictureOptions {
  /** Width of the terminal; no line is longer. */
  readonly columns: number;
  /** Most lines a picture may have. Default: as many as there are layers. */
  readonly rows?: number;
  readonly nowMs: number;
  readonly color: boolean;
}

const gap = '  ';
/** The narrowest cell that still says what a layer is doing. */
const minCellWidth = 12;
const maxCellWidth = 44;
const narrow = 60;

/**
 * The picture of several pulls of one image: a line per layer with a column per node, or, where so many columns do not
 * fit, a line per node.
 */
export function renderSideBySide(nodes: readonly NodeProgress[], options: PictureOptions): string[] {
  const layers = [...(nodes.find(({ state }) => state.layers.size > 0)?.state.layers.values() ?? [])];
  const labelWidth = layers.reduce(
    (width, layer) => Math.max(width, label(layer, options.columns).length),
    0,
  );
  const room = Math.floor((options.columns - labelWidth) / nodes.length) - gap.length;
  if (layers.length === 0 || room < minCellWidth) return nodeLines(nodes, options);
  const cellWidth = Math.min(maxCellWidth, room);
  const line = (start: string, cells: readonly string[]) =>
    [start.padEnd(labelWidth), ...cells].join(gap).trimEnd();
  const shown = mostInteresting(layers, nodes, (options.rows ?? Number.POSITIVE_INFINITY) - 2);
  return [
    line(
      '',
      nodes.map(({ node }) => truncate(node, cellWidth).padEnd(cellWidth)),
    ),
    ...shown.map((layer) =>
      line(
        label(layer, options.columns),
        nodes.map((node) => cell(node, layer.digest, cellWidth, options)),
      ),
    ),
    line(
      'in all',
      nodes.map(({ state }) => truncate(total(state), cellWidth).padEnd(cellWidth)),
    ),
  ];
}

function label({ digest, size }: LayerState, columns: number): string {
  const hex = digestHex(digest);
  return columns < narrow ? hex.slice(0, 6) : `${hex.slice(0, 12)} ${formatBytes(size).padStart(8)}`;
}

function cell(node: NodeProgress, digest: Digest, width: number, options: PictureOptions): string {
  const layer = node.state.layers.get(digest);
  if (!layer) return ''.padEnd(width);
  const text =
    layer.status === 'downloading' ? bar(layer, width, options.nowMs) : firstFit(wordsFor(layer), width);
  return paintOf(layer, options.color)(text.padEnd(width));
}

/** What a layer is doing, from the longest form to the shortest. */
function wordsFor(layer: LayerState): string[] {
  switch (layer.status) {
    case 'waiting': {
      const holder = layer.holder ? oneLine(layer.holder) : 'its turn';
      return [`waiting for ${holder} at position ${layer.position ?? 1}`, `waiting for ${holder}`, 'waiting'];
    }
    case 'finished':
      return [layer.outcome ?? 'present'];
    case 'failed':
      return [`failed: ${oneLine(layer.message ?? '')}`, 'failed'];
    default:
      return [layer.status];
  }
}

function firstFit(texts: readonly string[], width: number): string {
  return texts.find((text) => text.length <= width) ?? truncate(texts.at(-1) ?? '', width);
}

/** `[####----]  62%  4.1 MiB/s`, without the rate where it does not fit. */
function bar(layer: LayerState, width: number, nowMs: number): string {
  const share = layer.size > 0 ? Math.min(1, layer.offset / layer.size) : 1;
  const rate = rateOf(layer, nowMs);
  const numbers = ` ${String(Math.floor(share * 100)).padStart(3)}%`;
  const speed = width < 26 ? '' : ` ${rate === undefined ? '' : `${formatBytes(rate)}/s`}`.padEnd(12);
  const barWidth = Math.min(24, width - numbers.length - speed.length - 2);
  const filled = Math.floor(share * barWidth);
  return `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]${numbers}${speed}`;
}

function total(state: ProgressState): string {
  return state.layers.size === 0 ? 'starting' : `${formatBytes(downloadedBytes(state))} read`;
}

/** What this node read itself: not what it skipped, nor what it found. */
function downloadedBytes(state: ProgressState): number {
  let bytes = 0;
  for (const layer of state.layers.values()) {
    const isOwn =
      layer.status === 'downloading' || layer.outcome === 'downloaded' || layer.outcome === 'copied';
    if (isOwn) bytes += layer.offset;
  }
  return bytes;
}

function nodeLines(nodes: readonly NodeProgress[], options: PictureOptions): string[] {
  const { columns, rows = Number.POSITIVE_INFINITY } = options;
  const lines = nodes.map((node) => nodeLine(node, options));
  if (lines.length <= rows) return lines;
  const shown = Math.max(1, rows - 1);
  return [...lines.slice(0, shown), truncate(`… ${plural(lines.length - shown, 'more node')}`, columns)];
}

function nodeLine({ node, state }: NodeProgress, { columns }: PictureOptions): string {
  const layers = [...state.layers.values()];
  const having = (status: LayerState['status']) => layers.filter((layer) => layer.status === status).length;
  if (layers.length === 0) return truncate(`${node}  starting`, columns);
  const parts = [`${having('finished')}/${plural(layers.length, 'blob')}`, total(state)];
  if (having('downloading') > 0) parts.push(`downloading ${having('downloading')}`);
  if (having('waiting') > 0) parts.push(`waiting for ${having('waiting')}`);
  return truncate(`${node}  ${parts.join(', ')}`, columns);
}

/** Those that any node works on, then those that are still to come, then the finished; in the order of the image. */
function mostInteresting(
  layers: readonly LayerState[],
  nodes: readonly NodeProgress[],
  room: number,
): LayerState[] {
  if (layers.length <= room) return [...layers];
  const rank = (layer: LayerState): number => {
    const states = nodes.map(({ state }) => state.layers.get(layer.digest)?.status ?? 'pending');
    if (states.some((status) => status === 'downloading' || status === 'failed')) return 0;
    return states.every((status) => status === 'finished') ? 2 : 1;
  };
  const chosen = new Set([...layers].sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(1, room)));
  return layers.filter((layer) => chosen.has(layer));
}

function paintOf(layer: LayerState, color: boolean): Paint {
  const palette = createPalette(color);
  if (layer.status === 'failed') return palette.red;
  if (layer.status === 'waiting') return palette.yellow;
  if (layer.status === 'downloading') return palette.cyan;
  return layer.outcome === 'downloaded' ? palette.green : palette.dim;
}
