import ora from 'ora';
import { createPalette } from './color.ts';
import { renderFrame, renderSummary } from './frame.ts';
import { warningLine } from './progress-plain.ts';
import { applyEvent, createProgressState, type ProgressState } from './progress-state.ts';
import type { ProgressOptions, ProgressView } from './progress-view.ts';

/** Milliseconds between two pictures. */
const refreshMs = 100;

/** A picture on a terminal that is drawn again and again. Whichever end comes first counts. */
export interface Frame {
  /** Stops, and leaves the last picture behind this symbol. */
  leave(symbol: string): void;
  /** Stops, and takes the picture away. */
  remove(): void;
}

export type OpenFrame = (options: ProgressOptions, picture: () => string) => Frame;

/**
 * Draws what `picture` returns until it is left or removed. The stream must be a terminal. A spinner takes two columns
 * of the first line.
 */
export const openFrame: OpenFrame = ({ stream, clock, color }, picture) => {
  const spinner = ora({
    stream: stream as unknown as NodeJS.WritableStream,
    text: picture(),
    // Taking over stdin would swallow Ctrl-C, and `status` style loops read from it.
    discardStdin: false,
    isEnabled: true,
    color: color ? 'cyan' : false,
  });
  const stopRefresh = clock.every(refreshMs, () => {
    spinner.text = picture();
  });
  spinner.start();
  const once = (end: () => void) => {
    if (spinner.isSpinning) end();
    stopRefresh();
  };
  return {
    leave: (symbol) => once(() => spinner.stopAndPersist({ symbol, text: picture() })),
    remove: () => once(() => spinner.stop()),
  };
};

/** The frame of one pull. */
export function createTerminalProgress(options: ProgressOptions): ProgressView {
  const { stream, clock, color, warnings } = options;
  const state = createProgressState(clock.now());
  const frame = openFrame(options, () => picture(state, options));
  let closed = false;
  return {
    handle(event) {
      if (closed) return;
      if (event.kind === 'warning') {
        // ora clears its frame around what others write to the stream.
        if (warnings) stream.write(`${warningLine(event, color)}\n`);
        return;
      }
      applyEvent(state, event, clock.now());
    },
    close() {
      if (closed) return;
      closed = true;
      finish(frame, state, options);
    },
  };
}

function picture(state: ProgressState, { stream, clock, color }: ProgressOptions): string {
  const { columns = 80, rows = 24 } = stream;
  return renderFrame(state, { columns, rows: rows - 1, nowMs: clock.now(), color }).join('\n');
}

/** Leaves the last picture, and the summary below it when there is one. */
function finish(frame: Frame, state: ProgressState, { stream, color }: ProgressOptions): void {
  if (state.layers.size === 0) {
    frame.remove();
    return;
  }
  const { green, red } = createPalette(color);
  frame.leave(state.result ? green('✔') : red('✖'));
  if (state.result) stream.write(`${renderSummary(state.result)}\n`);
}
