import { createJsonProgress } from './progress-json.ts';
import { createPlainProgress, createWarningsOnly } from './progress-plain.ts';
import { canRedraw, onlyOnce, type ProgressOptions, type ProgressView } from './progress-view.ts';

export type ViewKind = 'tty' | 'plain' | 'json' | 'none';

export interface ViewChoice {
  readonly mode: 'auto' | ViewKind;
  /** stderr is a terminal that can redraw. */
  readonly interactive: boolean;
  /** stdout gets a JSON document: lines on stderr are then for people at a terminal only. */
  readonly json: boolean;
}

/** What `auto` means here. A frame needs a terminal, so `tty` without one is `plain`. */
export function chooseView({ mode, interactive, json }: ViewChoice, isTerminal: boolean): ViewKind {
  if (mode === 'tty') return isTerminal ? 'tty' : 'plain';
  if (mode !== 'auto') return mode;
  if (interactive && isTerminal) return 'tty';
  return json ? 'none' : 'plain';
}

/** The view for a pull. ora is loaded only for the one that needs it. */
export async function createProgress(choice: ViewChoice, options: ProgressOptions): Promise<ProgressView> {
  const view = await openView(chooseView(choice, canRedraw(options.stream)), options);
  return { handle: onlyOnce((event) => view.handle(event)), close: () => view.close() };
}

async function openView(kind: ViewKind, options: ProgressOptions): Promise<ProgressView> {
  switch (kind) {
    case 'tty':
      return (await import('./progress.ts')).createTerminalProgress(options);
    case 'plain':
      return createPlainProgress(options);
    case 'json':
      return createJsonProgress(options);
    case 'none':
      return createWarningsOnly(options);
  }
}
