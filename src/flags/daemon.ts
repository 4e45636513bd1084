import * as Flags from '@oclif/core/flags';

/** Flags of the daemons of a node, as in `config/daemon.ts`. */
export const daemonFlags = {
  zone: Flags.string({
    description: 'Where this node stands. Nodes of one zone read from each other first.',
    helpValue: 'NAME',
  }),
  'peer-addr': Flags.string({
    description:
      'Address on which other nodes read layers. Port 0 picks a free one. Default: 0.0.0.0:7041 with --server, else none.',
    helpValue: 'HOST:PORT',
  }),
  'peer-url': Flags.string({
    description: 'URL by which others reach that address. Default: the address that reaches the lock server.',
    helpValue: 'URL',
  }),
};
