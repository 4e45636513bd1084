import { resolve } from 'node:path';
import { type CoordinationConfig, readCoordination } from '../config.ts';
import { type RegistryConfig, readRegistryConfig } from './registry.ts';
import { readSocketPath } from './socket.ts';
import { type GivenFlags, type Machine, type Setting, setting, usage } from './values.ts';

export interface DoctorConfig extends CoordinationConfig {
  readonly registry: RegistryConfig;
  readonly containerd: DoctorContainerdConfig;
}

/** Paths are absolute. */
export interface DoctorContainerdConfig {
  /** Its `config.toml`. */
  readonly configFile: string;
  /** Somebody named that file. */
  readonly isConfigNamed: boolean;
  /** Its socket; undefined: the one that its configuration says. */
  readonly socket: string | undefined;
  /** That of the content plugin; undefined: the one that containerd's configuration says. */
  readonly contentSocket: string | undefined;
}

/** Where containerd itself looks. */
const usualConfig = '/etc/containerd/config.toml';

/** @throws LayerpullError `usage` */
export function readDoctorConfig(flags: GivenFlags, machine: Machine): DoctorConfig {
  const given = setting('containerd-config', flags, machine);
  const configFile = given && readPath(given, machine);
  // The plugin has a flag of its own, and the agent has one for its plugin: one file may say either.
  const name = setting('content-socket', flags, machine) ? 'content-socket' : 'socket';
  return {
    ...readCoordination(flags, machine),
    registry: readRegistryConfig(flags, machine),
    containerd: {
      configFile: configFile ?? usualConfig,
      isConfigNamed: configFile !== undefined,
      socket: readSocketPath('containerd-socket', flags, machine),
      contentSocket: readSocketPath(name, flags, machine),
    },
  };
}

function readPath(given: Setting, machine: Machine): string | undefined {
  // An empty flag overrules the environment and the configuration file.
  if (given.text === '') return undefined;
  if (given.text.trim() === '') throw usage(given, 'names no file', 'give the path of a file');
  return resolve(machine.workingDirectory, given.text);
}
