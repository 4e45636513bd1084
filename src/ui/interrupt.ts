import type { Clock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';

type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** What of `process` is needed to hear signals. */
export interface SignalSource {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
  off(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
}

export interface InterruptOptions {
  readonly source: SignalSource;
  readonly clock: Clock;
  /** Called with the first signal: tell the user that the end is near. */
  readonly announce: () => void;
  /** Ends the process at once. */
  readonly exit: (exitCode: number) => void;
  /** Milliseconds an orderly end may take. Default 1,800: with what follows, the process is gone within two seconds. */
  readonly graceMs?: number;
}

export interface Interrupt {
  /** Aborts with the first signal; its reason is an `interrupted` or `terminated` error. */
  readonly signal: AbortSignal;
  /** That error, once there is one. */
  reason(): LayerpullError | undefined;
  /** From here on SIGHUP calls `listener` and ends nothing, as with other servers; undefined: it ends again. */
  onHangup(listener: (() => void) | undefined): void;
  /** Gives an orderly end more time: so many milliseconds from the first signal on. */
  allow(graceMs: number): void;
  /** Stops listening; idempotent. */
  dispose(): void;
}

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Turns SIGINT, SIGTERM and SIGHUP into one abort. The second signal, or the end of the grace, ends the process with
 * the exit code of the first.
 */
export function listenForSignals(options: InterruptOptions): Interrupt {
  const { source, clock, announce, exit } = options;
  let { graceMs = 1_800 } = options;
  const controller = new AbortController();
  const disposed = new AbortController();
  let reason: LayerpullError | undefined;
  let hangup: (() => void) | undefined;

  const onSignal = (signal: StopSignal) => {
    if (signal === 'SIGHUP' && hangup) return hangup();
    if (reason) return exit(reason.exitCode);
    reason = reasonFor(signal);
    const { exitCode } = reason;
    clock.sleep(graceMs, disposed.signal).then(
      () => exit(exitCode),
      () => {},
    );
    announce();
    controller.abort(reason);
  };
  for (const signal of stopSignals) source.on(signal, onSignal);

  return {
    signal: controller.signal,
    reason: () => reason,
    onHangup: (listener) => {
      hangup = listener;
    },
    allow(ms) {
      graceMs = ms;
    },
    dispose() {
      disposed.abort();
      for (const signal of stopSignals) source.off(signal, onSignal);
    },
  };
}

function reasonFor(signal: StopSignal): LayerpullError {
  if (signal === 'SIGINT') return new LayerpullError('interrupted', 'interrupted');
  return new LayerpullError('terminated', `terminated by ${signal}`);
}
