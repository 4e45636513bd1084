import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../../src/core/errors.ts';
import {
  helperKeys,
  parseLoginTarget,
  registryOfKey,
  scopedKeys,
  serverKey,
} from '../../../src/registry/credentials/keys.ts';

describe('a key of auths', () => {
  it.each([
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['registry.example:5000', 'registry.example:5000'],
    ['Registry.Example', 'registry.example'],
    ['https://registry.example/v2/', 'registry.example'],
    ['http://registry.example', 'registry.example'],
    ['registry.example/team', undefined],
    ['docker.io/library', undefined],
  ])('%s means %s', (key, registry) => {
    expect(registryOfKey(key)).toBe(registry);
  });

  it('for a part of a registry can have each length, the longest first', () => {
    expect(scopedKeys('r.example', 'a/b/c')).toEqual(['r.example/a/b/c', 'r.example/a/b', 'r.example/a']);
    expect(scopedKeys('r.example', '')).toEqual([]);
  });

  it('of Docker Hub is the one that docker has', () => {
    expect(serverKey('docker.io')).toBe('https://index.docker.io/v1/');
    expect(helperKeys('docker.io')[0]).toBe('https://index.docker.io/v1/');
    expect([serverKey('r.example'), helperKeys('r.example')]).toEqual(['r.example', ['r.example']]);
  });
});

describe('the argument of login', () => {
  it.each([
    [undefined, 'docker.io', ''],
    ['https://index.docker.io/v1/', 'docker.io', ''],
    ['registry.example:5000', 'registry.example:5000', ''],
    ['HTTPS://Registry.Example/', 'registry.example', ''],
    ['https://registry.example/v2', 'registry.example', ''],
    ['localhost:5000/team/app', 'localhost:5000', 'team/app'],
    ['docker.io/team', 'docker.io', 'team'],
    ['[::1]:5000', '[::1]:5000', ''],
  ])('%s means %s and the part "%s"', (text, registry, namespace) => {
    expect(parseLoginTarget(text)).toEqual({ registry, namespace });
  });

  it.each([
    '',
    'bob:hunter2@registry.example',
    'a b',
    '-x/..',
    'r.example/..',
    'r.example/A',
    'r.example:port',
    'x?y',
  ])('is not "%s"', (text) => {
    expect(() => parseLoginTarget(text)).toThrow(LayerpullError);
    expect(() => parseLoginTarget(text)).not.toThrow('hunter2');
  });
});
