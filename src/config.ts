import type { Platform } from './core/descriptor.ts';
import type { NodeId } from './core/ids.ts';

/** What every command knows. */
export interface CommonConfig {
  /** Version of layerpull, for the user agent. */
  readonly version: string;
}

/** How a command reaches the lock service. */
export interface CoordinationConfig extends CommonConfig {
  /** Lock servers to try in this order. Empty: the processes on one store elect one of themselves. */
  readonly servers: readonly URL[];
  /** Absolute path of the content store. */
  readonly store: string;
}

export interface PullConfig extends CoordinationConfig {
  readonly node: NodeId;
  readonly platform: Platform;
  /** Layers downloaded at once. */
  readonly concurrency: number;
  /** Speak http to the registry. Loopback registries get http without it. */
  readonly plainHttp: boolean;
  /** What to do when coordination fails: go on alone, or end with exit code 7. */
  readonly onLockFailure: 'fallback' | 'fail';
}

export type StatusConfig = CoordinationConfig;

export interface ServeConfig extends CommonConfig {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}
