import * as Flags from '@oclif/core/flags';

/** Flags for what a fleet trusts, of servers and of clients. Variables are merged in `config/trust.ts`. */
export const trustFlags = {
  'token-file': Flags.string({
    description: 'Tokens of the fleet, one a line: servers accept each of them, clients send the first.',
    helpValue: 'FILE',
  }),
  'tls-cert': Flags.string({
    description: 'Certificate to show to the fleet, PEM: as a server, and as a client that is asked for one.',
    helpValue: 'FILE',
  }),
  'tls-key': Flags.string({ description: 'Key of --tls-cert, PEM.', helpValue: 'FILE' }),
  'tls-ca': Flags.string({
    description:
      'Authorities of the fleet, PEM: a client checks servers by them, a server asks clients for certificates of them.',
    helpValue: 'FILE',
  }),
};
