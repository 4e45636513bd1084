import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type FleetSecrets, readSecrets, type TrustFiles } from './fleet-secrets.ts';

export type { TrustFiles } from './fleet-secrets.ts';

/** What a client tells and checks of lock servers and peers. It is for these alone, never for registries. */
export interface ClientTrust {
  /** To send as `Authorization: Bearer`; undefined: none. */
  token(): string | undefined;
  /** For new connections; the same object until files change. Undefined: what Node trusts, and nothing to show. */
  tls(): ClientTls | undefined;
  /** Reads files that changed at once, without waiting for the next look. */
  look(): void;
}

/** All PEM, as `tls.connect` takes it. */
export interface ClientTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What the files say now. A change that cannot be used is warned of, and what was read before it goes on. */
export interface FleetTrust extends ClientTrust {
  secrets(): FleetSecrets;
  /** Calls back after each change; answers how to stop that. */
  onChange(listener: () => void): () => void;
  /** Reads everything again, changed or not. */
  reload(): void;
  /** Stops looking. Idempotent. */
  close(): void;
}

export interface FleetTrustOptions {
  readonly files: TrustFiles;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two looks. A change counts when two of them saw the same: it may take several files, one after the other. */
const lookMs = 1_000;

/** Reads the files, and again whenever they change. @throws LayerpullError `usage` when they cannot be used now */
export function openFleetTrust({ files, clock, log }: FleetTrustOptions): FleetTrust {
  const paths = pathsOf(files);
  const listeners = new Set<() => void>();
  const told = new Set<string>();
  let seen = paths.map(printNow).join();
  let changing: string | undefined;
  let secrets = readSecrets(files);
  let tls = clientTls(secrets);
  const warnOnce = () => {
    for (const notice of secrets.notices(clock.wallNow())) {
      if (told.has(notice)) continue;
      told.add(notice);
      log.warn({}, notice);
    }
  };
  warnOnce();

  const read = (print: string) => {
    seen = print;
    changing = undefined;
    try {
      secrets = readSecrets(files);
    } catch (error) {
      return log.warn({ files: paths }, `what was read before stays in use: ${messageOf(error)}`);
    }
    tls = clientTls(secrets);
    log.info({ files: paths }, 'tokens and certificates were read again');
    told.clear();
    warnOnce();
    for (const listener of listeners) listener();
  };
  const lookLater = async () => {
    const print = (await Promise.all(paths.map(printLater))).join();
    if (print === seen) changing = undefined;
    else if (print === changing) read(print);
    else changing = print;
  };
  const stop = clock.every(lookMs, () => void lookLater());

  return {
    token: () => secrets.tokens[0],
    tls: () => tls,
    look() {
      const print = paths.map(printNow).join();
      if (print !== seen) read(print);
    },
    secrets: () => secrets,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    reload: () => read(paths.map(printNow).join()),
    close: stop,
  };
}

function clientTls({ pair, ca }: FleetSecrets): ClientTls | undefined {
  if (!pair && ca === undefined) return undefined;
  return { ...(ca === undefined ? {} : { ca }), ...pair };
}

function pathsOf({ tokenFile, pair, caFile }: TrustFiles): string[] {
  return [tokenFile, pair?.certFile, pair?.keyFile, caFile].filter((path) => path !== undefined);
}

interface Print {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

const printOf = ({ ino, size, mtimeMs, ctimeMs }: Print) => [ino, size, mtimeMs, ctimeMs].join(' ');

/** Never throws: why a file cannot be looked at is said by whoever reads it. */
function printNow(path: string): string {
  try {
    return printOf(statSync(path));
  } catch {
    return 'absent';
  }
}

async function printLater(path: string): Promise<string> {
  return await stat(path).then(printOf, () => 'absent');
}
