import { Command } from '@oclif/core/command';
import * as Errors from '@oclif/core/errors';
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import { withConfigFile } from './config/file.ts';
import {
  type GivenFlags,
  type LogLevel,
  logFormats,
  logLevels,
  type Machine,
  type OutputConfig,
  readMachine,
  readOutput,
} from './config.ts';
import { type Clock, systemClock } from './core/clock.ts';
import { type LayerpullError, toLayerpullError } from './core/errors.ts';
import { type ReportTarget, report, wantsJson } from './ui/error-report.ts';
import { type Interrupt, listenForSignals } from './ui/interrupt.ts';
import { type ClosableLog, createLog } from './ui/log.ts';
import { toUsageError } from './ui/usage-error.ts';

export interface WorkOptions {
  /** What is logged when nobody says. Default `warn`. */
  readonly logLevel?: LogLevel;
  /** Log format that `auto` means where stderr is no terminal. Default `text`. */
  readonly logFormat?: 'text' | 'json';
  /** What is said on a terminal when the first signal arrives. */
  readonly stopping: string;
}

/** What a command works with once its flags are read. */
export interface CommandContext {
  readonly machine: Machine;
  readonly output: OutputConfig;
  readonly log: ClosableLog;
  readonly clock: Clock;
  /** Aborts with the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** What SIGHUP does from here on in place of ending the command; undefined: it ends it. */
  readonly onHangup: Interrupt['onHangup'];
  /** How many milliseconds an orderly end may take after that, instead of a moment. */
  readonly allowMs: (graceMs: number) => void;
}

/** Shared flags, configuration, signals and errors of every command. */
export abstract class BaseCommand extends Command {
  static override baseFlags: Interfaces.FlagInput = {
    json: Flags.boolean({ description: 'Print one JSON document on stdout.' }),
    quiet: Flags.boolean({ char: 'q', description: 'No progress, only the result and errors.' }),
    'log-level': Flags.string({ description: 'Least level to log.', options: [...logLevels] }),
    config: Flags.string({ description: 'Configuration file. Empty: none.', helpValue: 'FILE' }),
    'log-format': Flags.string({ description: 'Form of the log on stderr.', options: [...logFormats] }),
  };

  private output: OutputConfig | undefined;

  /** Runs `action` with everything it needs, and leaves nothing behind. */
  protected async work(
    flags: GivenFlags,
    options: WorkOptions,
    action: (context: CommandContext) => Promise<void>,
  ): Promise<void> {
    const machine = await withConfigFile(readMachine(this.config.version), flags, () => this.allFlagNames());
    const output = readOutput(flags, machine, options.logLevel);
    this.output = output;
    const log = openLog(output, machine, options);
    const interrupt = hearSignals(machine, options);
    try {
      const { signal, onHangup, allow: allowMs } = interrupt;
      await action({ machine, output, log, clock: systemClock, signal, onHangup, allowMs });
    } catch (error) {
      // Whatever broke because of the signal, the signal is what happened.
      throw interrupt.reason() ?? error;
    } finally {
      interrupt.dispose();
      await log.flush();
    }
  }

  /** The result: one line on stdout. */
  protected print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** The result: one document on stdout. */
  protected printJson(document: unknown): void {
    this.print(JSON.stringify(document, null, 2));
  }

  /** Reports the error here, where its form is known, and leaves only the exit code to the caller. */
  protected override async catch(error: unknown): Promise<never> {
    // The result was printed, and its exit code is a part of it.
    if (error instanceof Errors.ExitError) throw error;
    const failure = this.toFailure(error);
    report(failure, this.reportTarget());
    throw new Errors.ExitError(failure.exitCode);
  }

  private allFlagNames(): string[] {
    return this.config.commands.flatMap((command) => Object.keys(command.flags));
  }

  private toFailure(error: unknown): LayerpullError {
    const { flags, baseFlags, id } = this.ctor;
    const names = Object.keys({ ...baseFlags, ...flags }).map((name) => `--${name}`);
    const help = `${this.config.bin} ${id} --help`;
    return toUsageError(error, { help, flags: names }) ?? toLayerpullError(error);
  }

  private reportTarget(): ReportTarget {
    const { stdout, stderr } = process;
    const { output } = this;
    if (!output) return { stdout, stderr, json: wantsJson(this.argv), color: false };
    const { json, color, progress, logLevel } = output;
    const events = this.id === 'pull' && progress === 'json' ? systemClock : undefined;
    return { stdout, stderr, json, color, events, stack: logLevel === 'debug' };
  }
}

function openLog(output: OutputConfig, machine: Machine, options: WorkOptions): ClosableLog {
  const elsewhere = options.logFormat ?? 'text';
  const automatic = machine.stderrIsTerminal ? 'text' : elsewhere;
  return createLog({
    level: output.logLevel,
    format: output.logFormat === 'auto' ? automatic : output.logFormat,
    color: output.color,
    stream: { write: (text) => process.stderr.write(text) },
  });
}

function hearSignals(machine: Machine, options: WorkOptions): Interrupt {
  return listenForSignals({
    source: process,
    clock: systemClock,
    announce: () => {
      if (machine.stderrIsTerminal) process.stderr.write(`${options.stopping}\n`);
    },
    exit: (exitCode) => process.exit(exitCode),
  });
}
