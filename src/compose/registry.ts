import type { RegistryConfig } from '../config/registry.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { createRegistry } from '../registry/client.ts';
import type { ImageRegistry } from '../registry/image-registry.ts';

/** Wires the way to the registries. */
export function composeRegistry(config: RegistryConfig, log: Log): ImageRegistry {
  const { version, plainHttp, transfer } = config;
  return createRegistry({
    userAgent: `layerpull/${version}`,
    plainHttp,
    clock: systemClock,
    log,
    stallMs: transfer.stallTimeoutMs,
    requestsPerSecond: transfer.requestsPerSecond,
  });
}
