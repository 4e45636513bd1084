import { describe, expect, it } from 'vitest';
import { readPruneConfig, readRmConfig } from '../../src/config/removal.ts';
import { errorOf, machine, on } from '../support/config.ts';

describe('the configuration of rm', () => {
  it('means all platforms of a name, whatever is pulled by default', () => {
    const config = readRmConfig(
      {},
      on({ env: { LAYERPULL_PLATFORM: 'linux/arm64', LAYERPULL_STORE: '/srv/s' } }),
    );
    expect(config).toMatchObject({ store: '/srv/s', servers: [], force: false });
    expect(config).not.toHaveProperty('platform');
    const file = {
      path: '/etc/l.toml',
      settings: new Map([['platform', 'linux/arm64']]),
      registries: new Map(),
    };
    expect(readRmConfig({}, on({ file }))).not.toHaveProperty('platform');
  });

  it('comes from flags', () => {
    const flags = { platform: 'linux/x86_64', force: true, node: 'node-a', server: '127.0.0.1:8080' };
    expect(readRmConfig(flags, machine)).toMatchObject({
      platform: { os: 'linux', architecture: 'amd64' },
      force: true,
      node: 'node-a',
      servers: [new URL('http://127.0.0.1:8080')],
    });
    expect(errorOf(() => readRmConfig({ platform: 'linux' }, machine))).toMatchObject({
      code: 'invalid_platform',
    });
  });
});

describe('the configuration of prune', () => {
  it('removes unless it is told to only look', () => {
    expect(readPruneConfig({}, machine).dryRun).toBe(false);
    expect(readPruneConfig({ 'dry-run': true }, machine).dryRun).toBe(true);
    expect(readPruneConfig({}, on({ env: { LAYERPULL_DRY_RUN: 'true' } })).dryRun).toBe(true);
  });
});
