import * as nodePty from '@lydell/node-pty';
import { onCleanup } from './cleanup.ts';
import { type CliOptions, cliEnv, cliProgram } from './cli.ts';
import { createTextLog, type TextLog } from './text-log.ts';

export interface Terminal {
  readonly pid: number;
  /** All that was drawn, with its escape sequences. */
  readonly output: TextLog;
  /** Presses keys; `\x03` is Ctrl-C. */
  write(keys: string): void;
  /** Once it ended. `signal` is a number, absent where it ended by itself. */
  readonly exited: Promise<{ readonly code: number; readonly signal?: number }>;
  /** Whether the last word about the cursor was to show it; true when nobody spoke of it. */
  isCursorVisible(): boolean;
}

export interface TerminalOptions extends Pick<CliOptions, 'env' | 'cwd'> {
  /** Default 120. */
  readonly columns?: number;
  /** Default 40. */
  readonly rows?: number;
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';

/** Runs the built `layerpull` in a pseudo terminal; it is killed at the end of the test if it still runs. */
export function spawnInTerminal(args: readonly string[], options: TerminalOptions = {}): Terminal {
  const pty = nodePty.spawn(process.execPath, [cliProgram(), ...args], {
    name: 'xterm-256color',
    cols: options.columns ?? 120,
    rows: options.rows ?? 40,
    env: cliEnv({ TERM: 'xterm-256color', ...options.env }),
    cwd: options.cwd ?? process.cwd(),
  });
  let running = true;
  const exited = new Promise<{ code: number; signal?: number }>((resolve) => {
    pty.onExit(({ exitCode, signal }) => {
      running = false;
      resolve(signal ? { code: exitCode, signal } : { code: exitCode });
    });
  });
  onCleanup(async () => {
    if (running) pty.kill('SIGKILL');
    await exited;
  });
  const output = createTextLog({
    on: (event, listener: (chunk: string) => void) =>
      event === 'data' ? pty.onData(listener) : exited.then(() => listener('')),
  });
  return {
    pid: pty.pid,
    output,
    write: (keys) => pty.write(keys),
    exited,
    isCursorVisible: () => output.text().lastIndexOf(hideCursor) <= output.text().lastIndexOf(showCursor),
  };
}
