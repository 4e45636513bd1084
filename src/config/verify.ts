import type { RemovalConfig } from './removal.ts';
import { readRemoval } from './removal.ts';
import { type GivenFlags, type Machine, readSwitch } from './values.ts';

export interface VerifyConfig extends RemovalConfig {
  readonly repair: boolean;
}

/** @throws LayerpullError `usage` */
export function readVerifyConfig(flags: GivenFlags, machine: Machine): VerifyConfig {
  return { ...readRemoval(flags, machine), repair: readSwitch('repair', flags, { ...machine, env: {} }) };
}
