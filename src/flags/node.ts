import * as Flags from '@oclif/core/flags';

/** By which name others see this process. */
export const nodeFlag = {
  node: Flags.string({ description: 'Name of this node. Default: the host name.', helpValue: 'ID' }),
};
