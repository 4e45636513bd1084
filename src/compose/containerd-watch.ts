import { type ProbeOptions, probeDaemon } from '../containerd/probe.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { checkRunning } from '../doctor/containerd.ts';

export interface ContainerdWatch {
  /** containerd's own socket. */
  readonly socket: string;
  /** The one on which it should find its content. */
  readonly contentSocket: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds between two questions. Default 10,000. */
  readonly everyMs?: number;
  /** Default: asks containerd. */
  readonly probe?: (socket: string, options: ProbeOptions) => ReturnType<typeof probeDaemon>;
}

/**
 * Asks containerd now and then whether it has its content here, and tells when that changes. Nothing depends on it:
 * containerd mostly starts later than its plugin, and reads its configuration only then.
 */
export function watchContainerd(watch: ContainerdWatch): { close(): Promise<void> } {
  const end = new AbortController();
  const watching = keepAsking(watch, end.signal).catch(() => {});
  return {
    async close() {
      end.abort(new Error('the content plugin ends'));
      await watching;
    },
  };
}

async function keepAsking(watch: ContainerdWatch, signal: AbortSignal): Promise<void> {
  const { clock, log, socket, everyMs = 10_000 } = watch;
  for (let told = ''; ; ) {
    const { message, hint, isWell } = await ask(watch, signal);
    if (message !== told) {
      if (isWell) log.info({ containerd: socket }, message);
      else log.warn({ containerd: socket, hint }, message);
    }
    told = message;
    await clock.sleep(everyMs, signal);
  }
}

interface State {
  readonly message: string;
  readonly isWell: boolean;
  readonly hint?: string | undefined;
}

async function ask(watch: ContainerdWatch, signal: AbortSignal): Promise<State> {
  const { socket, contentSocket, clock, probe = probeDaemon } = watch;
  const found = await probe(socket, { clock, signal });
  if ('problem' in found) {
    return { message: `containerd does not answer: ${found.problem.reason}`, isWell: true };
  }
  const [wrong] = checkRunning(found.contentPlugins ?? [], contentSocket);
  if (wrong) return { message: wrong.message, hint: wrong.hint, isWell: false };
  return { message: `containerd ${found.version} has its content here`, isWell: true };
}
