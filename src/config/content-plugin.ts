import { LayerpullError } from '../core/errors.ts';
import { type ContainerdRootConfig, readContainerdRoot } from './containerd-root.ts';
import { type DaemonConfig, readDaemonConfig } from './daemon.ts';
import { readSocketPath } from './socket.ts';
import type { GivenFlags, Machine } from './values.ts';

export interface ContentPluginConfig extends DaemonConfig {
  /** Absolute path of the socket on which containerd finds its content. */
  readonly socket: string;
  /** Absolute path of containerd's own socket. Undefined: containerd is not asked whether it uses the plugin. */
  readonly containerdSocket: string | undefined;
  /** What containerd kept itself before. Undefined: nobody looks. */
  readonly containerdRoot: ContainerdRootConfig | undefined;
}

/** @throws LayerpullError `usage` */
export function readContentPluginConfig(flags: GivenFlags, machine: Machine): ContentPluginConfig {
  return {
    ...readDaemonConfig(flags, machine),
    socket: readSocketPath('socket', flags, machine) ?? standardSocket(machine),
    containerdSocket: readSocketPath('containerd-socket', flags, machine),
    containerdRoot: readContainerdRoot(flags, machine),
  };
}

/** `/run/layerpull/content.sock`, for users other than root below `$XDG_RUNTIME_DIR`. @throws LayerpullError `usage` without it */
function standardSocket({ superuser, env }: Machine): string {
  if (superuser) return '/run/layerpull/content.sock';
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime?.startsWith('/')) return `${runtime}/layerpull/content.sock`;
  throw new LayerpullError('usage', 'there is no place for the socket', {
    hint: 'give its path with --socket, or set XDG_RUNTIME_DIR',
  });
}
