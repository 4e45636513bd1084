import { shortDigest } from '../core/digest.ts';
import type { LayerSource, OutcomeKind, PullResult } from '../orchestrator/events.ts';
import { createPalette, type Paint } from './color.ts';
import { type LayerState, type ProgressState, rateOf } from './progress-state.ts';
import { formatBytes, formatBytesOf, formatDuration, oneLine, plural, truncate } from './text.ts';

export interface FrameOptions {
  /** Width of the terminal; no line is longer. */
  readonly columns: number;
  /** Most lines a frame may have. Default: as many as there are layers. */
  readonly rows?: number;
  readonly nowMs: number;
  readonly color: boolean;
}

const barWidth = 20;

/** The picture of a running pull: one line for the image, then one per layer. */
export function renderFrame(state: ProgressState, options: FrameOptions): string[] {
  const { columns, rows = Number.POSITIVE_INFINITY } = options;
  const layers = [...state.layers.values()];
  const room = Math.max(1, rows - 2);
  const shown = layers.length < rows ? layers : mostInteresting(layers, room);
  const lines = [truncate(renderHeader(state, layers), columns - 2)];
  for (const layer of shown) lines.push(renderLayer(layer, options));
  if (shown.length < layers.length) lines.push(truncate(`  … ${layers.length - shown.length} more`, columns));
  return lines;
}

/** `busybox: 4 layers: 2 downloaded (4.2 MiB from registry), 2 skipped; 1.3 s` */
export function renderSummary(result: PullResult): string {
  const counts = summaryOrder.flatMap((outcome) => {
    const count = result.layers.filter((layer) => layer.outcome === outcome).length;
    return count > 0 ? [`${count} ${outcome}${transferred(outcome, result)}`] : [];
  });
  const what = contentsOf(result);
  const { output } = result;
  const written = output ? `; wrote ${formatBytes(output.bytes)} to ${placeOf(output.path)}` : '';
  return `${oneLine(result.reference)}: ${what}: ${counts.join(', ')}${written}; ${formatDuration(result.durationMs)}`;
}

/** The path of `--output`, for people. */
export function placeOf(path: string): string {
  return path === '-' ? 'stdout' : oneLine(path);
}

/** What a layer is doing, without its digest: `waiting for node-a (position 2)`. */
export function describeLayer(layer: LayerState): string {
  switch (layer.status) {
    case 'pending':
      return 'pending';
    case 'waiting':
      return `waiting for ${layer.holder ? oneLine(layer.holder) : 'its turn'} at position ${layer.position ?? 1}`;
    case 'downloading':
      return layer.message ? `retrying: ${oneLine(layer.message)}` : 'downloading';
    case 'finished':
      return describeOutcome({ ...layer, outcome: layer.outcome ?? 'present' });
    case 'failed':
      return `failed: ${oneLine(layer.message ?? '')}`;
  }
}

export interface Outcome {
  readonly outcome: OutcomeKind;
  readonly size: number;
  readonly source?: LayerSource;
  /** What was transferred, and how much of it came from peers. */
  readonly bytes?: number;
  readonly bytesFromPeers?: number;
}

export function describeOutcome({ outcome, size, source, bytes = size, bytesFromPeers }: Outcome): string {
  switch (outcome) {
    case 'downloaded':
      if (!bytesFromPeers) return `verified (${formatBytes(size)} from the registry)`;
      return `verified (${formatBytes(bytes - bytesFromPeers)} from the registry, ${formatBytes(bytesFromPeers)} from peers)`;
    case 'copied':
      return `verified (${formatBytes(size)} copied from ${source?.node ? oneLine(source.node) : 'a peer'})`;
    case 'skipped':
      return `skipped (${source?.node ? oneLine(source.node) : 'another process'} brought it)`;
    case 'present':
      return 'present';
  }
}

const summaryOrder: readonly OutcomeKind[] = ['downloaded', 'copied', 'skipped', 'present'];

function transferred(outcome: OutcomeKind, result: PullResult): string {
  if (outcome === 'downloaded') return ` (${formatBytes(result.bytesFromRegistry)} from registry)`;
  return outcome === 'copied' ? ` (${formatBytes(result.bytesFromPeers)} from peers)` : '';
}

/** The config, the first of the list, is not a layer to people. Several platforms have several. */
function contentsOf({ layers, platforms }: PullResult): string {
  if (platforms.length > 1) return `${plural(layers.length, 'blob')} of ${platforms.length} platforms`;
  return `${plural(Math.max(0, layers.length - 1), 'layer')} and the config`;
}

function renderHeader(state: ProgressState, layers: readonly LayerState[]): string {
  if (layers.length === 0) return 'resolving';
  const done = layers.filter((layer) => layer.status === 'finished').length;
  const { exporting } = state;
  const writing = exporting
    ? `, writing ${placeOf(exporting.path)} ${Math.floor(exporting.share * 100)}%`
    : '';
  return `${oneLine(state.reference)} (${oneLine(state.platform)}) ${done}/${layers.length}${writing}`;
}

/** The active ones first, then those that wait, then the rest; each group in the order of the image. */
function mostInteresting(layers: readonly LayerState[], room: number): LayerState[] {
  const order: LayerState['status'][] = ['failed', 'downloading', 'waiting', 'pending', 'finished'];
  const ranked = [...layers].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const chosen = new Set(ranked.slice(0, room));
  return layers.filter((layer) => chosen.has(layer));
}

function renderLayer(layer: LayerState, options: FrameOptions): string {
  const digest = `  ${shortDigest(layer.digest)}`;
  const state = layer.status === 'downloading' && !layer.message ? bar(layer, options) : describeLayer(layer);
  const line = truncate(`${digest}  ${state}`, options.columns);
  return line.slice(0, digest.length) + paintOf(layer, options.color)(line.slice(digest.length));
}

function bar(layer: LayerState, { columns, nowMs }: FrameOptions): string {
  const share = layer.size > 0 ? Math.min(1, layer.offset / layer.size) : 1;
  const filled = Math.floor(share * barWidth);
  const rate = rateOf(layer, nowMs);
  const speed = rate === undefined ? '' : `  ${formatBytes(rate)}/s`;
  const numbers = `${formatBytesOf(layer.offset, layer.size)}${speed}`;
  if (columns < 60) return `${Math.floor(share * 100)}%  ${numbers}`;
  return `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${numbers}  downloading`;
}

function paintOf(layer: LayerState, color: boolean): Paint {
  const palette = createPalette(color);
  switch (layer.status) {
    case 'finished':
      return palette.green;
    case 'failed':
      return palette.red;
    case 'waiting':
      return palette.yellow;
    case 'downloading':
      return layer.message ? palette.yellow : palette.cyan;
    case 'pending':
      return palette.dim;
  }
}
