import type { PullEvent } from '../orchestrator/events.ts';
import { createPalette } from './color.ts';
import type { OpenFrame } from './progress.ts';
import { plainLine, warningLine } from './progress-plain.ts';
import { applyEvent, createProgressState } from './progress-state.ts';
import type { ProgressOptions } from './progress-view.ts';
import { type NodeProgress, renderSideBySide } from './side-by-side-picture.ts';
import { oneLine, truncate } from './text.ts';

/** What a node tells while it pulls. */
export type NodeEvent = Exclude<PullEvent, { kind: 'done' }>;

/** Shows several pulls of one image while they run. */
export interface SideBySideView {
  handle(node: string, event: NodeEvent): void;
  /** Leaves the last picture; idempotent. Events that come later are dropped. */
  close(): void;
}

/** The nodes in columns, redrawn in place. */
export function createSideBySide(
  nodes: readonly string[],
  title: string,
  options: ProgressOptions,
  openFrame: OpenFrame,
): SideBySideView {
  const { stream, clock, color, warnings } = options;
  const progress = new Map<string, NodeProgress>(
    nodes.map((node) => [node, { node, state: createProgressState(clock.now()) }]),
  );
  const picture = () => {
    const { columns = 80, rows = 24 } = stream;
    const pictured = { columns, rows: rows - 2, nowMs: clock.now(), color };
    return [
      truncate(oneLine(title), columns - 2),
      ...renderSideBySide([...progress.values()], pictured),
    ].join('\n');
  };
  const frame = openFrame(options, picture);
  let closed = false;
  return {
    handle(node, event) {
      const own = progress.get(node);
      if (closed || !own) return;
      if (event.kind !== 'warning') applyEvent(own.state, event, clock.now());
      else if (warnings) stream.write(`${node}: ${warningLine(event, color)}\n`);
    },
    close() {
      if (closed) return;
      closed = true;
      frame.leave(symbolOf([...progress.values()], color));
    },
  };
}

function symbolOf(nodes: readonly NodeProgress[], color: boolean): string {
  const { green, red } = createPalette(color);
  const isDone = ({ layers }: NodeProgress['state']) =>
    layers.size > 0 && [...layers.values()].every((layer) => layer.status === 'finished');
  return nodes.every(({ state }) => isDone(state)) ? green('✔') : red('✖');
}

/** One line per change, for logs and machines without a terminal. */
export function createSideBySideLines(title: string, options: ProgressOptions): SideBySideView {
  const { stream, color, warnings } = options;
  stream.write(`${oneLine(title)}\n`);
  let closed = false;
  return {
    handle(node, event) {
      if (closed || (event.kind === 'warning' && !warnings)) return;
      const line = plainLine(event, color);
      if (line !== undefined) stream.write(`${node}: ${line}\n`);
    },
    close() {
      closed = true;
    },
  };
}
