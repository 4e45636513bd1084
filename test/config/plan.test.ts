import { describe, expect, it } from 'vitest';
import { readPullConfig } from '../../src/config/pull.ts';
import type { GivenFlags } from '../../src/config/values.ts';
import { machine, on } from '../support/config.ts';

const read = (flags: GivenFlags, env: Record<string, string> = {}) => readPullConfig(flags, on({ env })).plan;

describe('what of an image is pulled', () => {
  it('is one platform, for real, unless told otherwise', () => {
    expect(readPullConfig({}, machine).plan).toEqual({ allPlatforms: false, dryRun: false });
    expect(read({ 'all-platforms': true, 'dry-run': true })).toEqual({ allPlatforms: true, dryRun: true });
    expect(read({}, { LAYERPULL_ALL_PLATFORMS: '1', LAYERPULL_DRY_RUN: 'true' })).toEqual({
      allPlatforms: true,
      dryRun: true,
    });
  });

  it('is the platform of a flag, whatever the environment says', () => {
    const flags = { platform: 'linux/arm64' };
    expect(read(flags, { LAYERPULL_ALL_PLATFORMS: '1' }).allPlatforms).toBe(false);
    expect(read({ 'all-platforms': true }, { LAYERPULL_PLATFORM: 'linux/arm64' }).allPlatforms).toBe(true);
  });

  it('is not one platform and all', () => {
    expect(() => read({ platform: 'linux/arm64', 'all-platforms': true })).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining('--all-platforms') }),
    );
  });
});
