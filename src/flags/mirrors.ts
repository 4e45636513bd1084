import * as Flags from '@oclif/core/flags';
import { mirrorOrders } from '../config/mirrors.ts';

/** Servers that are asked before the registry of an image. */
export const mirrorFlags = {
  mirror: Flags.string({
    description: 'Mirrors to ask before the registry of the image, in this order. Empty: none.',
    helpValue: 'URL[,URL]',
  }),
  'mirror-count': Flags.string({
    description: 'Mirrors at consecutive IPv4 addresses from that of --mirror on, up to .254.',
    helpValue: 'N',
  }),
  'mirror-order': Flags.string({
    description: 'Order in which each layer asks its mirrors. Default: ordered.',
    options: [...mirrorOrders],
  }),
  'mirror-min-rate': Flags.string({
    description: 'A mirror that is slower than this, per second, is left. Default: 4KiB; 0 never leaves.',
    helpValue: 'SIZE',
  }),
  'mirror-min-rate-window': Flags.string({
    description: 'Time over which the rate of a mirror is measured. Default: 30s.',
    helpValue: 'DURATION',
  }),
  'mirror-cool-down': Flags.string({
    description: 'Time for which a mirror that failed is left alone. Default: 1m.',
    helpValue: 'DURATION',
  }),
  'registries-conf': Flags.string({
    description: 'Mirrors as podman and skopeo have them. Empty: none. Default: their own places.',
    helpValue: 'FILE',
  }),
};
