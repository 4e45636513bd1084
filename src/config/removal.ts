import { type CoordinationConfig, readCoordination } from '../config.ts';
import { type Platform, parsePlatform } from '../core/descriptor.ts';
import type { NodeId } from '../core/ids.ts';
import { readNode } from './pull.ts';
import { type GivenFlags, type Machine, readSwitch } from './values.ts';

/** How `rm` and `prune` reach the store and the lock service. */
export interface RemovalConfig extends CoordinationConfig {
  readonly node: NodeId;
}

export interface RmConfig extends RemovalConfig {
  /** Only this platform. Absent: all of a name. */
  readonly platform?: Platform;
  readonly force: boolean;
}

export interface PruneConfig extends RemovalConfig {
  readonly dryRun: boolean;
}

/**
 * `--platform` is a flag and nothing else: what a machine pulls by default says nothing about which one of the store is
 * meant. @throws LayerpullError `invalid_platform`
 */
export function readWantedPlatform(flags: GivenFlags): Platform | undefined {
  const platform = flags['platform'];
  return typeof platform === 'string' ? parsePlatform(platform) : undefined;
}

/** @throws LayerpullError `usage`, `invalid_platform` */
export function readRmConfig(flags: GivenFlags, machine: Machine): RmConfig {
  const platform = readWantedPlatform(flags);
  return {
    ...readRemoval(flags, machine),
    ...(platform ? { platform } : {}),
    force: flags['force'] === true,
  };
}

/** @throws LayerpullError `usage` */
export function readPruneConfig(flags: GivenFlags, machine: Machine): PruneConfig {
  return { ...readRemoval(flags, machine), dryRun: readSwitch('dry-run', flags, machine) };
}

/** @throws LayerpullError `usage` */
export function readRemoval(flags: GivenFlags, machine: Machine): RemovalConfig {
  return { ...readCoordination(flags, machine), node: readNode(flags, machine) };
}
