import * as Flags from '@oclif/core/flags';

/** When a node stops relying on others, as in `config/bounds.ts`. */
export const boundFlags = {
  'first-contact': Flags.string({
    description: 'Time for the first contact with a lock server, in all. Default: 3s.',
    helpValue: 'DURATION',
  }),
  'out-of-reach': Flags.string({
    description: 'A waiter that cannot reach its lock server for this long goes on alone. Default: 5s.',
    helpValue: 'DURATION',
  }),
  'min-rate': Flags.string({
    description:
      'A waiter leaves a holder that is slower than this, per second. Default: 256KiB; 0 never leaves.',
    helpValue: 'SIZE',
  }),
  'min-rate-window': Flags.string({
    description: 'Time over which the rate of a holder is measured. Default: 30s.',
    helpValue: 'DURATION',
  }),
};

/** Flags of `config/peers.ts`: reading from other nodes, and serving them. */
export const peerFlags = {
  'peer-stall-timeout': Flags.string({
    description:
      'A node that sends no byte of a layer for this long is left; the layer goes on elsewhere. Default: 5s.',
    helpValue: 'DURATION',
  }),
  'peer-min-rate': Flags.string({
    description: 'A node that sends slower than this, per second, is left. Default: 16KiB; 0 never leaves.',
    helpValue: 'SIZE',
  }),
  'peer-min-rate-window': Flags.string({
    description: 'Time over which the rate of such a node is measured. Default: 10s.',
    helpValue: 'DURATION',
  }),
  'max-transfers': Flags.string({
    description:
      'Layers on their way to other nodes at once, 1 to 1000; who asks for more waits or reads elsewhere. Default: 128.',
    helpValue: 'N',
  }),
};
