import type { Clock } from '../core/clock.ts';
import { LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import { createMirrorApp, type MirrorAppOptions } from './mirror-app.ts';
import { MirrorWork } from './mirror-work.ts';

export interface MirrorServerOptions extends Omit<MirrorAppOptions, 'log' | 'work'> {
  readonly clock: Clock;
  /** Default: nothing is logged. */
  readonly log?: Log;
}

/** A read-only registry that hands through what a node has and gets. */
export interface MirrorServer {
  /** `port` 0 picks a free one. @throws LayerpullError `address_in_use`, `usage` */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly url: string }>;
  /** Lets no pull begin any more; those under way may go on. */
  drain(): void;
  /** Whether clients are in the middle of a pull, as far as one can see. */
  readonly isBusy: boolean;
  /** Requests that are being answered. */
  readonly answers: number;
  /** Lets requests under way finish for a moment, then cuts them. Idempotent. */
  close(): Promise<void>;
}

/** Milliseconds that requests under way get to finish. */
const graceMs = 1_500;

export function createMirrorServer(options: MirrorServerOptions): MirrorServer {
  const { log = silentLog, clock } = options;
  const work = new MirrorWork(clock);
  const app = createMirrorApp({ ...options, log, work });
  let closed: Promise<void> | undefined;
  const cutLate = async (finished: AbortSignal) => {
    await clock.sleep(graceMs, finished);
    app.server.closeAllConnections();
  };
  const close = async () => {
    const finished = new AbortController();
    const cut = cutLate(finished.signal).catch(() => {});
    await app.close();
    finished.abort();
    await cut;
  };
  return {
    async listen({ host, port }) {
      try {
        await app.listen({ host, port });
      } catch (error) {
        throw listenError(`${host}:${port}`, error);
      }
      const address = app.server.address();
      const taken = typeof address === 'object' && address ? address.port : port;
      return { url: `${options.door?.scheme ?? 'http'}://${hostInUrl(host)}:${taken}` };
    },
    drain: () => work.end(),
    get isBusy() {
      return work.isBusy;
    },
    get answers() {
      return work.answers;
    },
    close() {
      closed ??= close();
      return closed;
    },
  };
}

/** Who listens everywhere is reached under the name that this machine has for itself. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function listenError(address: string, error: unknown): LayerpullError {
  const isUsed = systemCodeOf(error) === 'EADDRINUSE';
  const problem = isUsed ? 'the address is in use' : messageOf(error);
  return new LayerpullError(isUsed ? 'address_in_use' : 'usage', `cannot listen on ${address}: ${problem}`, {
    hint: 'choose another address with --registry-addr',
    cause: error,
  });
}
