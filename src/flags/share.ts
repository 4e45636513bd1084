import * as Flags from '@oclif/core/flags';

/** Flags of `config/share.ts`. */
export const shareFlags = {
  share: Flags.boolean({
    description: 'Serve layers to other nodes while this runs. Default: with --server.',
    allowNo: true,
  }),
  'peer-addr': Flags.string({
    description:
      'Address to serve them at. Default: the one from which the lock server is reached, any port.',
    helpValue: '[HOST]:PORT',
  }),
  zone: Flags.string({
    description: 'Place of this node: those of one zone read from each other first.',
    helpValue: 'NAME',
  }),
  linger: Flags.string({
    description:
      'How long a pull that is done takes new readers while it has some. Default: 10s; 0 ends at once.',
    helpValue: 'DURATION',
  }),
};
