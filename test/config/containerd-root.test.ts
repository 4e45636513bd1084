import { describe, expect, it } from 'vitest';
import { readContainerdRoot } from '../../src/config/containerd-root.ts';
import { errorOf, machine, on } from '../support/config.ts';

describe('the root of a containerd', () => {
  it('is not looked at unless it is named', () => {
    expect(readContainerdRoot({}, machine)).toBeUndefined();
    expect(readContainerdRoot({ 'containerd-root': '' }, machine)).toBeUndefined();
  });

  it('is taken from the flag, the environment or the file, as an absolute path', () => {
    expect(readContainerdRoot({ 'containerd-root': 'root' }, machine)).toEqual({
      path: '/project/root',
      isImport: false,
    });
    const env = { LAYERPULL_CONTAINERD_ROOT: '/srv/c', LAYERPULL_IMPORT: 'true' };
    expect(readContainerdRoot({}, on({ env }))).toEqual({ path: '/srv/c', isImport: true });
  });

  it.each([
    [{ import: true }, '--import needs --containerd-root'],
    [{ 'containerd-root': ' ' }, 'names no directory'],
  ])('refuses %o', (flags, message) => {
    expect(errorOf(() => readContainerdRoot(flags, machine))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining(message),
    });
  });
});
