import { type CoordinationConfig, readCoordination } from '../config.ts';
import { type Platform, parsePlatform } from '../core/descriptor.ts';
import { type NodeId, toNodeId } from '../core/ids.ts';
import { type CoordinationBounds, readBounds } from './bounds.ts';
import { type ImageOutputConfig, readImageOutput } from './output.ts';
import { type PeerBounds, readPeerBounds } from './peers.ts';
import { type PlanConfig, readPlanConfig } from './plan.ts';
import { type RegistryConfig, readRegistryConfig } from './registry.ts';
import { readShare, readZone, type ShareConfig } from './share.ts';
import { countIn, type GivenFlags, type Machine, readChoice, setting, usage } from './values.ts';

export interface PullConfig extends CoordinationConfig {
  readonly node: NodeId;
  readonly platform: Platform;
  readonly plan: PlanConfig;
  /** Layers downloaded at once. */
  readonly concurrency: number;
  readonly registry: RegistryConfig;
  /** Undefined: the image goes into the store alone. */
  readonly output: ImageOutputConfig | undefined;
  /** What to do when coordination fails: go on alone, or end with exit code 7. */
  readonly onLockFailure: 'fallback' | 'fail';
  readonly bounds: CoordinationBounds;
  readonly peers: PeerBounds;
  /** Undefined: other nodes cannot read from this one. */
  readonly share: ShareConfig | undefined;
  readonly zone: string | undefined;
}

export const lockFailureModes = ['fallback', 'fail'] as const;

/** @throws LayerpullError `usage`, `invalid_platform` */
export function readPullConfig(flags: GivenFlags, machine: Machine): PullConfig {
  const coordination = readCoordination(flags, machine);
  return {
    ...coordination,
    node: readNode(flags, machine),
    platform: readPlatform(flags, machine),
    plan: readPlanConfig(flags, machine),
    concurrency: readConcurrency(flags, machine),
    registry: readRegistryConfig(flags, machine),
    output: readImageOutput(flags, machine),
    onLockFailure: readChoice('on-lock-failure', lockFailureModes, flags, machine) ?? 'fallback',
    bounds: readBounds(flags, machine),
    peers: readPeerBounds(flags, machine),
    share: readShare(flags, machine, coordination.servers),
    zone: readZone(flags, machine),
  };
}

/** @throws LayerpullError `usage` */
export function readNode(flags: GivenFlags, machine: Machine): NodeId {
  const given = setting('node', flags, machine) ?? { text: machine.hostname, from: '--node' };
  if (!/^[\x21-\x7e]{1,253}$/.test(given.text)) {
    throw usage(given, 'is not a node id', 'use 1 to 253 visible ASCII characters without blanks');
  }
  return toNodeId(given.text);
}

/** Go's names for Node's architectures, where they differ. */
const goArchitectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm: 'arm/v7',
  ppc64: 'ppc64le',
};

/** Images are nearly always for linux, so that is the default on every machine; the architecture is the host's. */
function readPlatform(flags: GivenFlags, machine: Machine): Platform {
  const { architecture } = machine;
  const given = setting('platform', flags, machine);
  return parsePlatform(given?.text ?? `linux/${goArchitectures[architecture] ?? architecture}`);
}

/**
 * Default 6, as skopeo and podman; docker and containerd take 3. A layer that waits for another node gives its place
 * back, so every place here is a running download: 6 keep a registry busy that takes a while to begin each answer, and
 * many nodes together stay below the connections that registries allow per client.
 */
function readConcurrency(flags: GivenFlags, machine: Machine): number {
  const given = setting('concurrency', flags, machine);
  return given ? countIn(given, 64, 'layers') : 6;
}
