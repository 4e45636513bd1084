import * as Flags from '@oclif/core/flags';
import { accessFlags } from './access.ts';
import { mirrorFlags } from './mirrors.ts';
import { tlsFlags } from './tls.ts';
import { transferFlags } from './transfer.ts';

/** Flags of the commands that reach registries, grouped as in `config/registry.ts`. */
export const registryFlags = {
  'plain-http': Flags.boolean({ description: 'Use http. Registries on loopback get it without asking.' }),
  ...accessFlags,
  ...transferFlags,
  ...tlsFlags,
  ...mirrorFlags,
};
