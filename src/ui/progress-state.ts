import { formatPlatform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { LayerSource, OutcomeKind, PullEvent, PullResult } from '../orchestrator/events.ts';

/** One layer as people see it. */
export interface LayerState {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  status: 'pending' | 'waiting' | 'downloading' | 'finished' | 'failed';
  /** Bytes that are in the store. */
  offset: number;
  /** Offsets of the last seconds, oldest first: what the rate is taken from. */
  samples: { readonly atMs: number; readonly offset: number }[];
  holder?: string | undefined;
  position?: number;
  source?: LayerSource;
  outcome?: OutcomeKind;
  /** What was transferred, and how much of it came from peers. */
  bytes?: number;
  bytesFromPeers?: number;
  message?: string;
}

/** All that a progress view knows. Changed in place by `applyEvent`. */
export interface ProgressState {
  reference: string;
  platform: string;
  readonly startedMs: number;
  readonly layers: Map<Digest, LayerState>;
  /** The image is being written elsewhere: how far, from 0 to 1. */
  exporting?: { readonly path: string; readonly share: number };
  result?: PullResult;
}

/** Milliseconds over which the rate is averaged. */
const rateWindowMs = 3_000;

export function createProgressState(nowMs: number): ProgressState {
  return { reference: '', platform: '', startedMs: nowMs, layers: new Map() };
}

export function applyEvent(state: ProgressState, event: PullEvent, nowMs: number): void {
  switch (event.kind) {
    case 'resolved':
      applyResolved(state, event);
      return;
    case 'done':
      state.result = event.result;
      return;
    case 'warning':
      return;
    case 'exporting':
      state.exporting = { path: event.path, share: event.size > 0 ? event.offset / event.size : 0 };
      return;
    default: {
      const layer = state.layers.get(event.digest);
      if (layer) applyLayerEvent(layer, event, nowMs);
    }
  }
}

/** Bytes per second over the last seconds, or undefined while too little is known. */
export function rateOf(layer: LayerState, nowMs: number): number | undefined {
  const first = layer.samples[0];
  if (!first || layer.status !== 'downloading') return undefined;
  const elapsedMs = nowMs - first.atMs;
  return elapsedMs < 200 ? undefined : ((layer.offset - first.offset) / elapsedMs) * 1_000;
}

function applyResolved(state: ProgressState, event: PullEvent & { kind: 'resolved' }): void {
  state.reference = event.reference;
  const { platforms, platform } = event;
  state.platform = platforms.length > 1 ? `${platforms.length} platforms` : formatPlatform(platform);
  for (const { digest, size } of event.layers) {
    state.layers.set(digest, { digest, size, status: 'pending', offset: 0, samples: [] });
  }
}

type LayerEvent = Exclude<PullEvent, { kind: 'resolved' | 'done' | 'warning' | 'exporting' }>;

function applyLayerEvent(layer: LayerState, event: LayerEvent, nowMs: number): void {
  switch (event.kind) {
    case 'waiting':
      layer.status = 'waiting';
      layer.holder = event.holder;
      layer.position = event.position;
      return;
    case 'downloading':
      layer.status = 'downloading';
      layer.source = event.source;
      layer.offset = event.offset;
      layer.samples = [{ atMs: nowMs, offset: event.offset }];
      delete layer.message;
      return;
    case 'progress':
      layer.offset = event.offset;
      layer.samples.push({ atMs: nowMs, offset: event.offset });
      layer.samples = layer.samples.filter(({ atMs }) => nowMs - atMs <= rateWindowMs);
      return;
    case 'retrying':
      layer.message = event.message;
      return;
    case 'switched':
      layer.source = event.source;
      delete layer.message;
      return;
    case 'finished':
      layer.status = 'finished';
      layer.outcome = event.outcome;
      layer.source = event.source;
      layer.bytes = event.bytes;
      if (event.bytesFromPeers) layer.bytesFromPeers = event.bytesFromPeers;
      layer.offset = event.size;
      return;
    case 'failed':
      layer.status = 'failed';
      layer.message = event.message;
  }
}
