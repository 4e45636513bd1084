import type { Machine } from '../../src/config.ts';
import { LayerpullError } from '../../src/core/errors.ts';

/** A machine of which a configuration knows everything. */
export const machine: Machine = {
  version: '1.2.3',
  env: {},
  hostname: 'host-1',
  home: '/home/user',
  superuser: false,
  architecture: 'x64',
  workingDirectory: '/project',
  stderrIsTerminal: false,
  stdoutIsTerminal: false,
};

/** The same machine, but for these. */
export const on = (changes: Partial<Machine>): Machine => ({ ...machine, ...changes });

/** What reading a configuration throws. */
export function errorOf(read: () => unknown): LayerpullError {
  try {
    read();
  } catch (error) {
    if (error instanceof LayerpullError) return error;
  }
  throw new Error('no LayerpullError was thrown');
}
