import { resolve } from 'node:path';
import { LayerpullError } from '../core/errors.ts';
import { type GivenFlags, type Machine, readSwitch, setting, usage } from './values.ts';

/** What to do about what a containerd kept itself before it got a content plugin. */
export interface ContainerdRootConfig {
  /** Absolute. */
  readonly path: string;
  /** Bring it in; else what would be missed keeps the plugin from starting. */
  readonly isImport: boolean;
}

/** Undefined: nobody named it, and nobody looks. @throws LayerpullError `usage` */
export function readContainerdRoot(flags: GivenFlags, machine: Machine): ContainerdRootConfig | undefined {
  const isImport = readSwitch('import', flags, machine);
  const given = setting('containerd-root', flags, machine);
  if (given && given.text !== '') {
    if (given.text.trim() === '') throw usage(given, 'names no directory', 'give the root of containerd');
    return { path: resolve(machine.workingDirectory, given.text), isImport };
  }
  if (!isImport) return undefined;
  const from = setting('import', flags, machine)?.from ?? '--import';
  throw new LayerpullError('usage', `${from} needs --containerd-root`, {
    hint: 'name what to import, such as --containerd-root /var/lib/containerd',
  });
}
