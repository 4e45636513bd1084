import * as Flags from '@oclif/core/flags';

/** Flags of a lock server that keeps its locks in etcd, together with others. Merged in `config/etcd.ts`. */
export const etcdFlags = {
  backend: Flags.string({
    description:
      'Keep everything in etcd, together with other lock servers: etcd://HOST[:PORT],…[/PREFIX], or etcds:// over TLS.',
    helpValue: 'URL',
  }),
  'etcd-ca': Flags.string({
    description: 'Authorities of etcd, PEM. Default: those that Node trusts.',
    helpValue: 'FILE',
  }),
  'etcd-cert': Flags.string({ description: 'Certificate to show to etcd, PEM.', helpValue: 'FILE' }),
  'etcd-key': Flags.string({ description: 'Key of --etcd-cert, PEM.', helpValue: 'FILE' }),
  'etcd-user': Flags.string({ description: 'User of etcd to sign in as.', helpValue: 'NAME' }),
  'etcd-password-file': Flags.string({
    description: 'File with the password of that user.',
    helpValue: 'FILE',
  }),
};
