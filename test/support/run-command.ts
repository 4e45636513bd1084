import { fileURLToPath } from 'node:url';
import { Errors, type Interfaces } from '@oclif/core';
import { vi } from 'vitest';

export interface CommandRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Runnable {
  run(argv: string[], options: Interfaces.LoadOptions): Promise<unknown>;
}

/** Runs a command class in this process, with what it writes captured. */
export async function runCommand(command: Runnable, ...argv: string[]): Promise<CommandRun> {
  const stdout = capture(process.stdout);
  const stderr = capture(process.stderr);
  try {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    await command.run(argv, { root, userPlugins: false, devPlugins: false });
    return { exitCode: 0, stdout: stdout.text(), stderr: stderr.text() };
  } catch (error) {
    if (!(error instanceof Errors.ExitError)) throw error;
    return { exitCode: error.oclif.exit ?? 0, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    stdout.restore();
    stderr.restore();
  }
}

function capture(stream: NodeJS.WriteStream) {
  const written: string[] = [];
  const spy = vi.spyOn(stream, 'write').mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
  return { text: () => written.join(''), restore: () => spy.mockRestore() };
}
