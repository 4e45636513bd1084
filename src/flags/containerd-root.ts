import * as Flags from '@oclif/core/flags';

/** What a containerd kept itself before it got a content plugin, as in `config/containerd-root.ts`. */
export const containerdRootFlags = {
  'containerd-root': Flags.string({
    description:
      'Root of the containerd. It is not started while that has content which containerd would miss. Default: not looked at.',
    helpValue: 'DIR',
  }),
  import: Flags.boolean({
    description:
      'First bring in what the root of --containerd-root has; containerd must be stopped meanwhile.',
  }),
};
