import type { EtcdConfig, EtcdTlsFiles } from '../config/etcd.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { isLoopback } from '../http/addresses.ts';
import { readAuthorities, readPair } from '../http/certificates.ts';
import { readPasswordFile } from '../http/password-file.ts';
import type { LockService, Observe } from '../lock/backends/engine/engine.ts';
import type { EtcdOptions } from '../lock/backends/etcd/client/etcd.ts';
import { createEtcd } from '../lock/backends/etcd/client/etcd-client.ts';
import { createEtcdLocks } from '../lock/backends/etcd/etcd-locks.ts';
import type { MachineOptions } from '../lock/machine/options.ts';
import type { Closers } from './closers.ts';

export interface EtcdBackendOptions extends Partial<Omit<MachineOptions, 'firstToken'>> {
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly observe: Observe;
  /** Hears why the server cannot go on. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The lock service of one of several servers. What it opens is closed by the closers.
 *
 * @throws LayerpullError `usage` for files that cannot be used, `etcd_*`, `cluster_mismatch`
 */
export async function openEtcdBackend(
  config: EtcdConfig,
  options: EtcdBackendOptions,
  closers: Closers,
): Promise<LockService> {
  const { clock, log } = options;
  const etcd = closers.add(createEtcd(etcdOptions(config, clock, log)));
  const locks = closers.add(await createEtcdLocks({ ...options, etcd }));
  const { endpoints, prefix } = config;
  log.info(
    { endpoints, prefix },
    `locks are kept in etcd at ${endpoints.join(', ')}, below ${prefix}/, together with other lock servers`,
  );
  return locks;
}

/** @throws LayerpullError `usage` for a file that cannot be read or used */
export function etcdOptions(
  { endpoints, prefix, tls, user }: EtcdConfig,
  clock: Clock,
  log: Log,
): EtcdOptions {
  const password = user && readPasswordFile(user.passwordFile, '--etcd-password-file');
  if (password?.notice) log.warn({}, password.notice);
  if (password && !tls && !endpoints.every(isHere)) {
    log.warn(
      { endpoints },
      'the password for etcd goes over the network in clear: use etcds:// in its place',
    );
  }
  return {
    ...{ endpoints, prefix: `${prefix}/`, clock },
    ...(tls ? { tls: readTls(tls) } : {}),
    ...(user && password ? { user: { name: user.name, password: password.text } } : {}),
  };
}

function isHere(endpoint: string): boolean {
  return isLoopback(endpoint.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
}

function readTls({ caFile, certFile, keyFile }: EtcdTlsFiles): NonNullable<EtcdOptions['tls']> {
  const names = { certFrom: '--etcd-cert', keyFrom: '--etcd-key' };
  const ca = caFile === undefined ? undefined : readAuthorities(caFile, '--etcd-ca');
  const isPair = certFile !== undefined && keyFile !== undefined;
  return { ...(ca === undefined ? {} : { ca }), ...(isPair ? readPair(certFile, keyFile, names) : {}) };
}
