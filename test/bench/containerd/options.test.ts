import { describe, expect, test } from 'vitest';
import { bytesNeeded, jobNames, parseOptions } from '../../../bench/lib/containerd/options.ts';

describe('the options of the bench of containerd', () => {
  test('ask for everything by default', () => {
    expect(parseOptions([])).toEqual({
      only: jobNames,
      imageBytes: 2 * 1024 ** 3,
      layers: 8,
      blobBytes: 64 * 1024 ** 2,
      runs: 5,
      snapshotter: 'overlayfs',
      server: false,
      profileDir: undefined,
    });
  });

  test('choose and size what is measured', () => {
    const options = parseOptions(['--only', 'get,pull', '--size', '64MiB', '--layers', '2', '--server']);
    expect(options).toMatchObject({
      only: ['get', 'pull'],
      imageBytes: 64 * 1024 ** 2,
      layers: 2,
      server: true,
    });
    expect(parseOptions(['--help'])).toBeUndefined();
  });

  test('want more room for what is unpacked', () => {
    const needed = (only: string) => {
      const options = parseOptions(['--only', only]);
      return options ? bytesNeeded(options) : Number.NaN;
    };
    expect(needed('pull') - needed('fetch')).toBe(2 * 1024 ** 3);
  });

  test('are refused where they make no sense', () => {
    expect(() => parseOptions(['--only', 'push'])).toThrow('"push" is none of fetch, get, pull');
    expect(() => parseOptions(['--size', 'large'])).toThrow('not a size');
    expect(() => parseOptions(['--runs', '0'])).toThrow('not a number from 1');
  });
});
