import * as Flags from '@oclif/core/flags';
import { trustFlags } from './trust.ts';

export const storeFlag = {
  store: Flags.string({ description: 'Content store: an OCI image layout.', helpValue: 'DIR' }),
};

/** Flags of the commands that talk to a lock service. None has an `env` or a default: `config.ts` merges those. */
export const coordinationFlags = {
  server: Flags.string({
    description:
      'Lock server, or several that share their state: any of them will do. Without one, the pulls on one store coordinate themselves.',
    helpValue: 'URL[,URL]',
  }),
  ...storeFlag,
  ...trustFlags,
};
