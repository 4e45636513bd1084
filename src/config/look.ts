import { readStoreConfig, type StoreConfig } from '../config.ts';
import { type GivenFlags, type Machine, readSwitch } from './values.ts';

export interface ImagesConfig extends StoreConfig {
  /** Show digests whole. */
  readonly digests: boolean;
}

/** @throws LayerpullError `usage` */
export function readImagesConfig(flags: GivenFlags, machine: Machine): ImagesConfig {
  return { ...readStoreConfig(flags, machine), digests: readSwitch('digests', flags, machine) };
}
