import { type GivenFlags, type Machine, readSwitch, usage } from './values.ts';

/** What of an image is pulled, and whether it is at all. */
export interface PlanConfig {
  /** Everything that an index lists, for all platforms. */
  readonly allPlatforms: boolean;
  /** Only tell what a pull would bring. */
  readonly dryRun: boolean;
}

/** @throws LayerpullError `usage` */
export function readPlanConfig(flags: GivenFlags, machine: Machine): PlanConfig {
  const allPlatforms = readSwitch('all-platforms', flags, machine);
  // A platform from the environment is only what a machine usually wants.
  if (flags['all-platforms'] === true && flags['platform'] !== undefined) {
    const given = { text: String(flags['platform']), from: '--platform' };
    throw usage(given, 'is one platform, and --all-platforms takes all', 'leave out one of the two');
  }
  return { allPlatforms, dryRun: readSwitch('dry-run', flags, machine) };
}
