import { describe, expect, it } from 'vitest';
import { readImageOutput } from '../../src/config/output.ts';
import { errorOf, machine, on } from '../support/config.ts';

const read = (output: string, more: Readonly<Record<string, boolean>> = {}) =>
  readImageOutput({ output, ...more }, machine);

describe('--output', () => {
  it('is nothing by default', () => {
    expect(readImageOutput({}, machine)).toBeUndefined();
  });

  it.each([
    ['oci:layout', { kind: 'oci', path: '/project/layout', name: undefined }],
    ['oci:/x/layout:v1', { kind: 'oci', path: '/x/layout', name: 'v1' }],
    [
      'oci:a:docker.io/library/busybox:latest',
      { kind: 'oci', path: '/project/a', name: 'docker.io/library/busybox:latest' },
    ],
    ['oci-archive:../x.tar:1.2', { kind: 'oci-archive', path: '/x.tar', name: '1.2' }],
    ['oci-archive:-', { kind: 'oci-archive', path: '-', name: undefined }],
    ['docker-archive:x.tar', { kind: 'docker-archive', path: '/project/x.tar', name: undefined }],
    [
      'docker-archive:x.tar:ghcr.io/o/app:1',
      { kind: 'docker-archive', path: '/project/x.tar', name: 'ghcr.io/o/app:1' },
    ],
    ['docker-archive:-:app', { kind: 'docker-archive', path: '-', name: 'app' }],
  ])('reads %s, whose path ends at the first colon', (text, config) => {
    expect(read(text)).toEqual({ ...config, allPlatforms: false });
  });

  it('comes from the environment too', () => {
    expect(readImageOutput({}, on({ env: { LAYERPULL_OUTPUT: 'oci:a' } }))).toMatchObject({
      path: '/project/a',
    });
  });

  it.each([
    ['x.tar', 'is no form that layerpull writes'],
    ['', 'is no form that layerpull writes'],
    ['docker:x', 'is no form that layerpull writes'],
    ['OCI:x', 'is no form that layerpull writes'],
    ['oci:', 'names no place'],
    ['oci::tag', 'names no place'],
    ['oci-archive', 'names no place'],
    ['oci:x:', 'ends with a colon'],
    ['docker-archive:x:', 'ends with a colon'],
    ['oci:x:../..', 'has a tag that no layout can have'],
    ['oci:x:a b', 'has a tag that no layout can have'],
    ['oci:x:a\nb', 'has a tag that no layout can have'],
    ['oci:x:-a', 'has a tag that no layout can have'],
    [`oci:x:${'a'.repeat(2_000)}`, 'has a tag that no layout can have'],
    ['oci:-', 'is a folder, which stdout cannot be'],
  ])('refuses %j', (text, problem) => {
    expect(errorOf(() => read(text))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining(problem),
    });
  });

  it('takes all platforms into a layout, and one into an archive of docker', () => {
    expect(read('oci-archive:x', { 'all-platforms': true })).toMatchObject({ allPlatforms: true });
    expect(errorOf(() => read('docker-archive:x', { 'all-platforms': true }))).toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('--platform'),
    });
  });

  it('takes the platform that is asked for, whatever the environment says', () => {
    const all = on({ env: { LAYERPULL_ALL_PLATFORMS: 'true' } });
    const flags = { output: 'docker-archive:x', platform: 'linux/arm64' };
    expect(readImageOutput(flags, all)).toMatchObject({ allPlatforms: false });
    expect(errorOf(() => readImageOutput({ output: 'docker-archive:x' }, all)).code).toBe('usage');
  });

  it('shares stdout with nobody', () => {
    expect(errorOf(() => read('docker-archive:-', { json: true })).message).toContain('--json');
    const terminal = on({ stdoutIsTerminal: true });
    expect(errorOf(() => readImageOutput({ output: 'docker-archive:-' }, terminal)).message).toContain(
      'terminal',
    );
    expect(readImageOutput({ output: 'docker-archive:x' }, terminal)).toBeDefined();
  });

  it('takes no time to refuse a long tag', () => {
    expect(errorOf(() => read(`oci:x:${'a-'.repeat(400)}!`)).code).toBe('usage');
  });
});
