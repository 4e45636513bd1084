import { LayerpullError } from '../core/errors.ts';
import { type ListenAddress, readAddress } from './address.ts';
import { forbidIdleFlags } from './agent-idle-flags.ts';
import { type ContainerdRootConfig, readContainerdRoot } from './containerd-root.ts';
import { type DaemonConfig, readDaemonConfig } from './daemon.ts';
import { type RegistryConfig, readRegistryConfig } from './registry.ts';
import { readSocketPath } from './socket.ts';
import { type GivenFlags, type Machine, readDuration, readSwitch } from './values.ts';

export interface AgentConfig extends DaemonConfig {
  /** The registry mirror. Undefined: there is none. */
  readonly mirror: MirrorConfig | undefined;
  /** Absolute path of the socket on which containerd finds its content. Undefined: there is none. */
  readonly contentSocket: string | undefined;
  /** What containerd kept itself before. Undefined: nobody looks. */
  readonly containerdRoot: ContainerdRootConfig | undefined;
}

/** A registry on this node, for programs that know nothing of a fleet. */
export interface MirrorConfig {
  readonly address: ListenAddress;
  readonly registry: RegistryConfig;
  /** Show the agent's credentials to registries for callers that show none. */
  readonly asAgent: boolean;
  /** Milliseconds for which an access that was proved counts while a registry is out of reach. */
  readonly offlineTtlMs: number;
}

/** @throws LayerpullError `usage` */
export function readAgentConfig(flags: GivenFlags, machine: Machine): AgentConfig {
  const daemon = readDaemonConfig(flags, machine);
  forbidIdleFlags(flags, machine, daemon.servers.length > 0);
  return {
    ...daemon,
    mirror: readMirror(flags, machine),
    contentSocket: readSocketPath('content-socket', flags, machine),
    containerdRoot: readContainerdRoot(flags, machine),
  };
}

/**
 * By which URL the programs of this node reach its mirror.
 *
 * @throws LayerpullError `usage` where there is none, or only one whose port is not known before it runs
 */
export function mirrorUrlOf({ mirror, trust }: Pick<AgentConfig, 'mirror' | 'trust'>): string {
  const hint = 'such as --registry-addr 127.0.0.1:5001';
  if (!mirror) throw new LayerpullError('usage', '--print-config needs --registry-addr', { hint });
  const { host, port } = mirror.address;
  if (port === 0) {
    throw new LayerpullError('usage', '--print-config needs the port of --registry-addr, not 0', { hint });
  }
  return `${trust?.pair ? 'https' : 'http'}://${hostInUrl(host)}:${port}`;
}

/** Who listens everywhere is there on this machine, too. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function readMirror(flags: GivenFlags, machine: Machine): MirrorConfig | undefined {
  const asAgent = readSwitch('mirror-as-agent', flags, machine);
  const offlineTtlMs = readDuration('offline-ttl', flags, machine, 3_600_000);
  const address = readAddress('registry-addr', flags, machine, undefined);
  return address && { address, registry: readRegistryConfig(flags, machine), asAgent, offlineTtlMs };
}
