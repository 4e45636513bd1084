import * as Flags from '@oclif/core/flags';

/** Flags that say what of an image is pulled. */
export const planFlags = {
  'all-platforms': Flags.boolean({
    description: 'Pull everything that an index lists, for all platforms, and keep the index whole.',
  }),
  'dry-run': Flags.boolean({
    description:
      'Only show what a pull would bring: no layer is fetched, no store is made, nothing is locked.',
  }),
};
