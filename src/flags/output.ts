import * as Flags from '@oclif/core/flags';

/** The flag of `config/output.ts`. */
export const outputFlags = {
  output: Flags.string({
    description:
      'Also write the image: oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]; FILE - is stdout.',
    helpValue: 'FORM:PATH[:NAME]',
  }),
};
