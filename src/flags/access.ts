import * as Flags from '@oclif/core/flags';

export const authFileFlag = {
  authfile: Flags.string({
    description: 'File with credentials. Default: those of podman and docker.',
    helpValue: 'FILE',
  }),
};

/** Flags for credentials, read by `config/access.ts`. */
export const accessFlags = {
  ...authFileFlag,
  creds: Flags.string({
    description: 'Credentials for the registry of the image.',
    helpValue: 'USER:PASSWORD',
  }),
};
