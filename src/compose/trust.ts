import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { CoordinationConfig } from '../config.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { isLoopback } from '../http/addresses.ts';
import { type FleetTrust, openFleetTrust, type TrustFiles } from '../http/fleet-trust.ts';
import type { Serving } from '../http/serving.ts';
import { createHttpLocks, type HttpLocksTimeouts } from '../lock/backends/http/http-locks.ts';
import type { Locks } from '../lock/locks.ts';

/** What the files say, and how to end looking at them; undefined: none were given. @throws LayerpullError `usage` */
export function openTrust(files: TrustFiles | undefined, log: Log): FleetTrust | undefined {
  return files && openFleetTrust({ files, clock, log });
}

/** The locks of the servers of `--server`. Its `close` ends all that was opened for it. @throws LayerpullError `usage` */
export function serverLocks(
  { servers, version, trust: files }: CoordinationConfig,
  log: Log,
  timeouts: HttpLocksTimeouts = {},
): Locks {
  const trust = openTrust(files, log);
  const onMove = (from: URL, to: URL) => {
    log.info({ from: from.href, to: to.href }, `the lock server ${from.host} fails: going on at ${to.host}`);
  };
  const locks = createHttpLocks({ servers, version, clock, trust, timeouts, onMove });
  if (!trust) return locks;
  const close = async () => {
    trust.close();
    await locks.close();
  };
  return { ...locks, close };
}

/** How a server of this process serves: in clear and everyone without `trust`. */
export async function servingOf(trust: FleetTrust | undefined): Promise<Serving> {
  const { createServing, openServing } = await import('../http/serving.ts');
  return trust ? createServing(trust) : openServing;
}

/** Tells those who can still change it that a server lets everyone in who reaches it. `what`: such as `the lock server`. */
export function warnWhenOpen(what: string, host: string, serving: Serving, log: Log): void {
  if (serving.asks || isLoopback(host)) return;
  log.warn(
    { host },
    `${what} listens on ${host} and serves everyone who reaches it: give it --token-file FILE, or --tls-cert, --tls-key and --tls-ca, or have it listen on 127.0.0.1`,
  );
}

/** Tells those who can still change it that others will refuse to read from this node. */
export function warnOfOtherName(url: string, trust: FleetTrust | undefined, log: Log): void {
  const pair = trust?.secrets().pair;
  if (!pair) return;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const certificate = new X509Certificate(pair.cert);
  if (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) return;
  log.warn(
    { url },
    `--tls-cert: the certificate is not for ${host}, at which others reach this node: they will not read from here until it is; --peer-url gives them a name that it has`,
  );
}
