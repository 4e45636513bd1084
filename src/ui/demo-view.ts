import type { Clock } from '../core/clock.ts';
import { chooseView, type ViewChoice } from './create-progress.ts';
import { canRedraw, type ProgressOptions, type ProgressStream } from './progress-view.ts';
import {
  createSideBySide,
  createSideBySideLines,
  type NodeEvent,
  type SideBySideView,
} from './side-by-side.ts';
import { formatBytes, oneLine } from './text.ts';

/** How the demo may talk. */
export interface DemoOutput {
  readonly json: boolean;
  readonly progress: ViewChoice['mode'];
  readonly interactive: boolean;
  readonly color: boolean;
}

/** What is known before the nodes start. */
export interface DemoStartView {
  readonly reference: string;
  readonly nodes: readonly string[];
  /** Present when the registry is the demo's own. */
  readonly bytesPerSecond?: number;
}

/** What a demo shows while it runs; its functions need no `this`. */
export interface DemoView {
  readonly start: (start: DemoStartView) => void;
  readonly handle: (node: string, event: NodeEvent) => void;
  /** Shows what a process that failed wrote last. */
  readonly trouble: (name: string, lastLines: readonly string[]) => void;
  /** Leaves the last picture; idempotent. */
  readonly close: () => void;
}

/** The view that fits the terminal. ora is loaded only where it draws. */
export async function createDemoView(
  output: DemoOutput,
  { stream, clock }: { readonly stream: ProgressStream; readonly clock: Clock },
): Promise<DemoView> {
  const { json, interactive, color } = output;
  const kind = chooseView({ mode: output.progress, interactive, json }, canRedraw(stream));
  const options: ProgressOptions = { stream, clock, color, warnings: true };
  const open = kind === 'tty' ? await terminalView(options) : linesView(kind === 'none', options);
  let view: SideBySideView | undefined;
  return {
    start: (start) => {
      view = open(start);
    },
    handle: (node, event) => view?.handle(node, event),
    trouble: (name, lastLines) => {
      view?.close();
      for (const line of lastLines) stream.write(`${name} | ${oneLine(line)}\n`);
    },
    close: () => view?.close(),
  };
}

type OpenView = (start: DemoStartView) => SideBySideView | undefined;

async function terminalView(options: ProgressOptions): Promise<OpenView> {
  const { openFrame } = await import('./progress.ts');
  return (start) => {
    sayThrottled(start, options.stream);
    return createSideBySide(start.nodes, titleOf(start), options, openFrame);
  };
}

function linesView(silent: boolean, options: ProgressOptions): OpenView {
  return (start) => {
    if (silent) return undefined;
    sayThrottled(start, options.stream);
    return createSideBySideLines(titleOf(start), options);
  };
}

function sayThrottled({ bytesPerSecond }: DemoStartView, stream: ProgressStream): void {
  if (bytesPerSecond === undefined) return;
  stream.write(`registry throttled to ${formatBytes(bytesPerSecond)}/s so that you can watch\n`);
}

function titleOf({ reference, nodes }: DemoStartView): string {
  return `${nodes.length} nodes pull ${reference}`;
}
