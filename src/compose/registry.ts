import type { RegistryConfig } from '../config/registry.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { createRegistry } from '../registry/client.ts';
import type { ImageRegistry } from '../registry/image-registry.ts';
import { composeCredentials } from './credentials.ts';
import { composeMirrors } from './mirrors.ts';

/** Wires the way to the registries. `registry`: that of the image, for which credentials may be given. */
export function composeRegistry(config: RegistryConfig, log: Log, registry: string): ImageRegistry {
  const { version, plainHttp, tls, proxies, transfer, access, mirrors } = config;
  return createRegistry({
    userAgent: `layerpull/${version}`,
    plainHttp,
    tls,
    proxies,
    clock: systemClock,
    log,
    credentials: composeCredentials(access, log, registry),
    stallMs: transfer.stallTimeoutMs,
    requestsPerSecond: transfer.requestsPerSecond,
    mirrors: composeMirrors(mirrors),
  });
}
