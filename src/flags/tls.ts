import * as Flags from '@oclif/core/flags';

/** Flags for certificates. The `LAYERPULL_` variables and defaults are merged in `config/tls.ts`. */
export const tlsFlags = {
  'ca-cert': Flags.string({
    description: 'Authorities to trust beside those of the system, in PEM files.',
    helpValue: 'FILE[,FILE]',
  }),
  'cert-dir': Flags.string({
    description:
      'Certificates by registry: HOST[:PORT]/*.crt to trust, NAME.cert with NAME.key to show. /etc/containers/certs.d and /etc/docker/certs.d are looked at, too.',
    helpValue: 'DIR',
  }),
  'insecure-skip-tls-verify': Flags.boolean({
    description: 'Take any certificate of a registry: whoever is on the way can read along.',
  }),
};
