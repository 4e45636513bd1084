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
  return {
    allPlatforms: readAllPlatforms(flags, machine),
    dryRun: readSwitch('dry-run', flags, machine),
  };
}

/** What the environment says is only what a machine usually wants: a flag for one platform overrules it. */
function readAllPlatforms(flags: GivenFlags, machine: Machine): boolean {
  const { platform, 'all-platforms': all } = flags;
  if (platform === undefined) return readSwitch('all-platforms', flags, machine);
  if (all !== true) return false;
  const given = { text: String(platform), from: '--platform' };
  throw usage(given, 'is one platform, and --all-platforms takes all', 'leave out one of the two');
}
