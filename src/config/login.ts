import { LayerpullError } from '../core/errors.ts';
import { readAuthFilePath } from './access.ts';
import { type RegistryConfig, readRegistryConfig } from './registry.ts';
import type { GivenFlags, Machine } from './values.ts';

/** How `login` and `logout` reach a registry, and where they keep what they learn. */
export interface LoginConfig {
  readonly registry: RegistryConfig;
  /** Absolute path of the file that is changed. */
  readonly authFile: string;
}

/** How a password is given. */
export type PasswordSource =
  | { readonly kind: 'stdin' }
  | { readonly kind: 'flag'; readonly password: string }
  | { readonly kind: 'ask' };

/** @throws LayerpullError `usage` */
export function readLoginConfig(flags: GivenFlags, machine: Machine): LoginConfig {
  const registry = readRegistryConfig({ ...flags, authfile: undefined }, machine);
  return { registry, authFile: readAuthFilePath(flags, machine) };
}

/** @throws LayerpullError `usage` for flags that contradict each other */
export function readPasswordSource(flags: GivenFlags): PasswordSource {
  const { username, password } = flags;
  const fromStdin = flags['password-stdin'] === true;
  if (typeof password === 'string') {
    if (fromStdin)
      throw contradiction('--password and --password-stdin exclude each other', 'give one of them');
    return { kind: 'flag', password };
  }
  if (!fromStdin) return { kind: 'ask' };
  if (username === undefined) {
    throw contradiction('--password-stdin needs --username', 'give the user name with -u');
  }
  return { kind: 'stdin' };
}

function contradiction(message: string, hint: string): LayerpullError {
  return new LayerpullError('usage', message, { hint });
}
