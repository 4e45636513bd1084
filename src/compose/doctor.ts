import { stat } from 'node:fs/promises';
import type { DoctorConfig } from '../config/doctor.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { checkContainerd } from '../doctor/containerd.ts';
import { type Check, type Finding, fromError, ok } from '../doctor/finding.ts';
import { checkLockServer, tellWhichAnswer } from '../doctor/lock-server.ts';
import { checkClock, checkNode } from '../doctor/machine.ts';
import { checkRoom, checkStore } from '../doctor/store.ts';
import { createFleetClient } from '../http/fleet-client.ts';
import type { FleetTrust } from '../http/fleet-trust.ts';
import { createHttpLocks } from '../lock/backends/http/http-locks.ts';
import { createReaders } from '../registry/readers.ts';
import { formatReference, parseReference } from '../registry/reference.ts';
import { blobPath, readIdentity } from '../store/layout.ts';
import { Closers } from './closers.ts';
import { composeCredentials } from './credentials.ts';
import { composeMirrors } from './mirrors.ts';
import { openTrust } from './trust.ts';

export type { Finding } from '../doctor/finding.ts';
export { exitCodeOf } from '../doctor/finding.ts';

interface DoctorDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Looks at everything that a pull through layerpull needs, and changes nothing. The findings come in a fixed order.
 *
 * @param image asks its registry, too
 * @throws LayerpullError `invalid_reference`; the signal's reason
 */
export async function examine(
  image: string | undefined,
  config: DoctorConfig,
  deps: DoctorDeps,
): Promise<readonly Finding[]> {
  const { store } = config;
  const checks: readonly Check[] = [
    async () => [checkNode(process.versions.node), checkClock(clock)],
    async () => [await checkStore(store)],
    async () => [await checkRoom(store)].filter((finding) => finding !== undefined),
    () => examineServers(config, deps),
    ...(image === undefined ? [] : [examineImage(image, config, deps)]),
    async () => {
      const storeId = await readIdentity(store).catch(() => '');
      return await checkContainerd({
        ...config.containerd,
        ...{ has: hasIn(store), storeId, clock, signal: deps.signal },
      });
    },
  ];
  const found = await Promise.all(checks.map((check) => check()));
  deps.signal.throwIfAborted();
  return found.flat();
}

async function examineServers(
  config: DoctorConfig,
  { log, signal }: DoctorDeps,
): Promise<readonly Finding[]> {
  const { servers, trust: files } = config;
  if (servers.length === 0) {
    return [ok('lock server', 'none is named: the processes of one store coordinate themselves')];
  }
  const closers = new Closers();
  try {
    const trust = openTrust(files, log);
    if (trust) closers.add({ close: async () => trust.close() });
    const asked = servers.map((server) => examineServer(server, config, { trust, closers, signal }));
    const found = await Promise.all(asked);
    return [...found.flat(), ...tellWhichAnswer(servers, found)];
  } catch (error) {
    signal.throwIfAborted();
    return [fromError('lock server', error)];
  } finally {
    await closers.close();
  }
}

interface ServerDeps {
  readonly trust: FleetTrust | undefined;
  readonly closers: Closers;
  readonly signal: AbortSignal;
}

function examineServer(
  server: URL,
  { version }: DoctorConfig,
  { trust, closers, signal }: ServerDeps,
): Promise<readonly Finding[]> {
  const timeouts = { requestMs: 5_000, retries: 0 };
  const locks = closers.add(createHttpLocks({ servers: [server], version, clock, trust, timeouts }));
  const userAgent = `layerpull/${version}`;
  const http = closers.add(createFleetClient({ userAgent, connectTimeoutMs: 3_000 }, trust));
  const askAsMember = () => locks.list({ limit: 1 }, signal);
  return checkLockServer({ server, http, clock, askAsMember, signal });
}

/** The name is read before anything is looked at. @throws LayerpullError `invalid_reference` */
function examineImage(text: string, config: DoctorConfig, { log, signal }: DoctorDeps): Check {
  const reference = parseReference(text);
  const { version, plainHttp, tls, proxies, transfer, mirrors, access } = config.registry;
  return async () => {
    const closers = new Closers();
    try {
      const readers = closers.add(
        createReaders({
          ...{ userAgent: `layerpull/${version}`, plainHttp, tls, proxies, clock },
          requestsPerSecond: transfer.requestsPerSecond,
          mirrors: composeMirrors(mirrors),
        }),
      );
      const reader = readers.as(composeCredentials(access, log, reference.registry));
      const { digest } = await reader.prove(reference, signal);
      return [ok('registry', `${formatReference(reference)} is ${digest}`)];
    } catch (error) {
      signal.throwIfAborted();
      return [fromError('registry', error)];
    } finally {
      await closers.close();
    }
  };
}

function hasIn(root: string) {
  return async ({
    digest,
    size,
  }: {
    readonly digest: Parameters<typeof blobPath>[1];
    readonly size: number;
  }) => {
    const stats = await stat(blobPath({ root }, digest)).catch(() => undefined);
    return stats?.isFile() === true && stats.size === size;
  };
}
