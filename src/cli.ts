import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareEnvironment } from './config.ts';
import { systemClock } from './core/clock.ts';
import { exitCodes, LayerpullError, toLayerpullError } from './core/errors.ts';
import { report, wantsJson } from './ui/error-report.ts';
import { toUsageError } from './ui/usage-error.ts';

/**
 * The program: runs one command and resolves with its exit code.
 *
 * @param argv arguments without node and script
 * @param root directory of layerpull's package.json
 */
export async function main(argv: readonly string[], root: string): Promise<number> {
  prepareEnvironment();
  ignoreClosedPipe(process.stderr);
  // Before oclif listens, which throws what is none of our errors.
  process.stdout.on('error', (error) => endWithoutStdout(error, argv));
  process.on('uncaughtException', (error) => process.exit(reportFailure(error, argv)));
  const exitCode = await runCommand(argv, root);
  await flush(exitCode);
  return exitCode;
}

async function runCommand(argv: readonly string[], root: string): Promise<number> {
  // Loaded late: it reads the environment while it loads.
  const { Errors, run, settings } = await import('./oclif.ts');
  settings.enableAutoTranspile = false;
  try {
    // Never plugins of the user: oclif would load code named in a package.json of the data directory.
    await run(helpCommand(argv), { root, userPlugins: false, devPlugins: false });
    return 0;
  } catch (error) {
    if (error instanceof Errors.ExitError) return error.oclif.exit ?? 0;
    return await fail(error, argv, root);
  }
}

/** Milliseconds a program that was told to stop waits for readers that do not read. */
const stoppedFlushMs = 100;

/** Waits until what was written has left the process. */
async function flush(exitCode: number): Promise<void> {
  const all = Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  const isStopped = exitCode === exitCodes.interrupted || exitCode === exitCodes.terminated;
  await (isStopped ? Promise.race([all, systemClock.sleep(stoppedFlushMs)]) : all);
}

/** `help` is a word for `--help`: `help pull` asks what `pull --help` asks. */
function helpCommand([first, ...rest]: readonly string[]): string[] {
  if (first === undefined) return [];
  return first === 'help' ? [...rest.filter((word) => word !== '--help'), '--help'] : [first, ...rest];
}

/** One line, for bugs too: a stack trace says nothing to users. Returns the exit code. */
function reportFailure(error: unknown, argv: readonly string[]): number {
  const failure = toLayerpullError(error);
  report(failure, { stdout: process.stdout, stderr: process.stderr, json: wantsJson(argv), color: false });
  return failure.exitCode;
}

/** What a command did not report itself: an unknown command, or help about one. */
async function fail(error: unknown, argv: readonly string[], root: string): Promise<number> {
  const help = 'layerpull --help';
  const failure =
    toUsageError(error, { help, commands: await commandNames(root) }) ?? toLayerpullError(error);
  report(failure, { stdout: process.stdout, stderr: process.stderr, json: wantsJson(argv), color: false });
  return failure.exitCode;
}

async function commandNames(root: string): Promise<string[]> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(root, 'oclif.manifest.json'), 'utf8'));
    const isManifest = typeof manifest === 'object' && manifest !== null && 'commands' in manifest;
    return isManifest && manifest.commands ? Object.keys(manifest.commands) : [];
  } catch {
    return [];
  }
}

/** Nothing more can be said there: a full disk behind `>`, for example. A reader that went away is no failure. */
function endWithoutStdout(cause: NodeJS.ErrnoException, argv: readonly string[]): void {
  if (cause.code === 'EPIPE') return;
  const failure = new LayerpullError('output_failed', `cannot write to stdout: ${cause.message}`, {
    hint: 'look at what reads it, or free space where it goes',
    origin: 'user',
    cause,
  });
  process.exit(reportFailure(failure, argv));
}

/** A reader that went away (`| head`) is no failure of ours. */
function ignoreClosedPipe(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** Resolves once what was written has left the process, or its reader has. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
