import * as Flags from '@oclif/core/flags';

/** Time limits and rates of a transfer, as in `config/transfer.ts`. */
export const transferFlags = {
  'stall-timeout': Flags.string({
    description:
      'A connection that brings no byte of a layer for this long is left; another goes on. Default: 20s.',
    helpValue: 'DURATION',
  }),
  'layer-timeout': Flags.string({
    description: 'Time for one layer, with all tries. Default: no limit.',
    helpValue: 'DURATION',
  }),
  timeout: Flags.string({
    description: 'Time for the whole pull; then it ends with exit code 5. Default: no limit.',
    helpValue: 'DURATION',
  }),
  'limit-rate': Flags.string({
    description: 'Download no faster than this, per second, all layers together. Default: 0, no limit.',
    helpValue: 'SIZE',
  }),
  'limit-registry-rps': Flags.string({
    description:
      'Requests per second to registries, with those for tokens and redirects. Default: 0, no limit.',
    helpValue: 'N',
  }),
};
