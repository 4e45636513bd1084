import { describe, expect, it } from 'vitest';
import { readPullConfig } from '../../src/config/pull.ts';
import type { GivenFlags } from '../../src/config.ts';
import { errorOf, machine, on } from '../support/config.ts';

const server = { server: 'lock:8080' };
const shareOf = (flags: GivenFlags, env: Readonly<Record<string, string>> = {}) =>
  readPullConfig(flags, on({ env })).share;

describe('what a pull serves to others', () => {
  it('is on with a lock server, at the address that reaches it', () => {
    expect(shareOf(server)).toEqual({ address: { host: undefined, port: 0 }, lingerMs: 10_000 });
    expect(shareOf({})).toBeUndefined();
  });

  it('can be turned off by flag and by variable, and on again by flag', () => {
    expect(shareOf({ ...server, share: false })).toBeUndefined();
    expect(shareOf(server, { LAYERPULL_SHARE: '0' })).toBeUndefined();
    expect(shareOf({ ...server, share: true }, { LAYERPULL_SHARE: '0' })).toBeDefined();
  });

  it('serves nobody without a lock server, whatever is asked for', () => {
    expect(shareOf({ share: true })).toBeUndefined();
  });

  it.each([
    ['10.0.0.12:7041', { host: '10.0.0.12', port: 7041 }],
    ['node-a.example:0', { host: 'node-a.example', port: 0 }],
    ['[fd00::12]:7041', { host: 'fd00::12', port: 7041 }],
    [':7041', { host: undefined, port: 7041 }],
  ])('reads the address %s', (text, address) => {
    expect(shareOf({ ...server, 'peer-addr': text })?.address).toEqual(address);
  });

  it.each([
    '10.0.0.12',
    '10.0.0.12:70410',
    'http://10.0.0.12:7041',
    '0.0.0.0:7041',
    '[::]:7041',
    'a b:1',
    '',
  ])('refuses the address "%s"', (text) => {
    const error = errorOf(() => readPullConfig({ ...server, 'peer-addr': text }, machine));
    expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining('--peer-addr') });
  });

  it('reads how long to stay, and that it shall not', () => {
    expect(shareOf({ ...server, linger: '2m' })?.lingerMs).toBe(120_000);
    expect(shareOf({ ...server, linger: '0s' })?.lingerMs).toBe(0);
    expect(shareOf({ ...server, linger: '0' })?.lingerMs).toBe(0);
  });

  it('reads a zone, which is one word', () => {
    expect(readPullConfig({ zone: 'eu-1a' }, machine).zone).toBe('eu-1a');
    expect(errorOf(() => readPullConfig({ zone: 'two words' }, machine))).toMatchObject({ code: 'usage' });
  });
});
