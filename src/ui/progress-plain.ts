import { shortDigest } from '../core/digest.ts';
import type { LayerSource, PullEvent } from '../orchestrator/events.ts';
import { createPalette } from './color.ts';
import { describeOutcome, placeOf, renderSummary } from './frame.ts';
import type { ProgressOptions, ProgressView } from './progress-view.ts';
import { formatBytes, oneLine, plural } from './text.ts';

/** One line per change, for logs and machines without a terminal. */
export function createPlainProgress({ stream, color, warnings }: ProgressOptions): ProgressView {
  let closed = false;
  return {
    handle(event) {
      if (closed || (event.kind === 'warning' && !warnings)) return;
      const line = plainLine(event, color);
      if (line !== undefined) stream.write(`${line}\n`);
    },
    close() {
      closed = true;
    },
  };
}

/** Only the warnings: what is left when nobody wants progress. */
export function createWarningsOnly({ stream, color, warnings }: ProgressOptions): ProgressView {
  let closed = false;
  return {
    handle(event) {
      if (!closed && warnings && event.kind === 'warning') stream.write(`${warningLine(event, color)}\n`);
    },
    close() {
      closed = true;
    },
  };
}

export function warningLine(event: PullEvent & { kind: 'warning' }, color: boolean): string {
  const hint = event.hint ? ` (${oneLine(event.hint)})` : '';
  return `${createPalette(color).yellow('warning:')} ${oneLine(event.message)}${hint}`;
}

/** The line for one event; undefined where nothing changed for a reader of lines. */
export function plainLine(event: PullEvent, color: boolean): string | undefined {
  switch (event.kind) {
    case 'resolved':
      return `${oneLine(event.reference)}: resolved to ${shortDigest(event.digest)}, ${plural(event.layers.length, 'blob')}`;
    case 'progress':
      return undefined;
    case 'warning':
      return warningLine(event, color);
    case 'exporting':
      return event.offset === 0 ? `writing ${placeOf(event.path)}` : undefined;
    case 'done':
      return renderSummary(event.result);
    default:
      return `${shortDigest(event.digest)}: ${describeEvent(event)}`;
  }
}

type LayerEvent = Exclude<PullEvent, { kind: 'resolved' | 'progress' | 'warning' | 'exporting' | 'done' }>;

function describeEvent(event: LayerEvent): string {
  switch (event.kind) {
    case 'waiting':
      return `waiting for ${event.holder ? oneLine(event.holder) : 'its turn'} at position ${event.position}`;
    case 'downloading': {
      const resumed = event.offset > 0 ? `, going on at ${formatBytes(event.offset)}` : '';
      const verb = event.source.kind === 'peer' ? 'copying' : 'downloading';
      return `${verb} ${formatBytes(event.size)} from ${placeOfSource(event.source)}${resumed}`;
    }
    case 'retrying':
      return `retrying: ${oneLine(event.message)}`;
    case 'switched': {
      const why = event.message === undefined ? '' : ` (${oneLine(event.message)})`;
      return `going on at ${formatBytes(event.offset)} from ${placeOfSource(event.source)}${why}`;
    }
    case 'finished':
      return describeOutcome(event);
    case 'failed':
      return `failed: ${oneLine(event.message)}`;
  }
}

/** A node by its name, any other server by its address. */
function placeOfSource({ kind, url, node }: LayerSource): string {
  return oneLine((kind === 'peer' ? node : url) ?? url ?? kind);
}
