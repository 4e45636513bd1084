import { describe, expect, it } from 'vitest';
import { readServeConfig } from '../../src/config/serve.ts';
import { errorOf, machine, on } from '../support/config.ts';

describe('--addr', () => {
  it.each([
    [undefined, '127.0.0.1', 8080],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['[::1]:8080', '::1', 8080],
    [':8080', '::', 8080],
    ['lock.example:65535', 'lock.example', 65535],
  ])('reads %s', (addr, host, port) => {
    expect(readServeConfig({ addr }, machine)).toMatchObject({ version: '1.2.3', host, port });
  });

  it.each(['8080', 'host', 'host:', 'host:65536', '::1:8080', 'http://host:1', ''])(
    'refuses "%s"',
    (addr) => {
      expect(errorOf(() => readServeConfig({ addr }, machine)).code).toBe('usage');
    },
  );

  it('keeps its data in the data directory of the user, or of the machine for root', () => {
    expect(readServeConfig({}, machine).data).toBe('/home/user/.local/share/layerpull/locks');
    expect(readServeConfig({}, on({ superuser: true })).data).toBe('/var/lib/layerpull/locks');
    expect(readServeConfig({ data: 'here' }, machine).data).toBe('/project/here');
  });

  it('keeps nothing with --ephemeral, which excludes --data', () => {
    expect(readServeConfig({ ephemeral: true }, machine).data).toBeUndefined();
    expect(readServeConfig({}, on({ env: { LAYERPULL_EPHEMERAL: '1' } })).data).toBeUndefined();
    expect(errorOf(() => readServeConfig({ ephemeral: true, data: 'x' }, machine)).code).toBe('usage');
    const env = { LAYERPULL_EPHEMERAL: '1' };
    expect(readServeConfig({ data: '/flag' }, on({ env })).data).toBe('/flag');
    expect(errorOf(() => readServeConfig({ data: ' ' }, machine)).code).toBe('usage');
  });

  it('has these bounds, each of them a flag', () => {
    expect(readServeConfig({}, machine).bounds).toEqual({
      queueing: true,
      ttlMs: 15_000,
      stallMs: 20_000,
      nodeGraceMs: 30_000,
      leaseMs: 600_000,
      fanOut: 2,
    });
    const flags = {
      'no-queue': true,
      'session-ttl': '1m',
      'stall-timeout': '1m1s',
      'sessionless-grace': '2m',
      'sessionless-lease': '1h',
      'fan-out': '3',
    };
    expect(readServeConfig(flags, machine).bounds).toEqual({
      queueing: false,
      ttlMs: 60_000,
      stallMs: 61_000,
      nodeGraceMs: 120_000,
      leaseMs: 3_600_000,
      fanOut: 3,
    });
  });

  it.each([
    [{ 'session-ttl': '500ms' }, '--session-ttl'],
    [{ 'stall-timeout': '5s' }, '--stall-timeout'],
    [{ 'session-ttl': '60s' }, '--stall-timeout'],
    [{ 'sessionless-lease': '10s' }, '--sessionless-lease'],
    [{ 'session-ttl': '15m', 'stall-timeout': '1h' }, '--sessionless-lease'],
  ])('refuses times that are too short for the TTL: %o', (flags, name) => {
    const error = errorOf(() => readServeConfig(flags, machine));
    expect([error.code, error.message.split(':')[0]]).toEqual(['usage', name]);
    expect(error.hint).toMatch(/^give more than \d+ms$/);
  });

  it.each(['0', '65', 'two'])('refuses %s as a number of nodes that read from one', (text) => {
    const error = errorOf(() => readServeConfig({ 'fan-out': text }, machine));
    expect(error.message).toBe(`--fan-out: "${text}" is not a number of nodes`);
    expect([error.code, error.hint]).toEqual(['usage', 'give a whole number from 1 to 64']);
  });

  it('turns queueing off by the older name too, unless the newer one says otherwise', () => {
    const older = { ALLOW_MULTI_NODE_DOWNLOAD: 'false' };
    expect(readServeConfig({}, on({ env: older })).bounds.queueing).toBe(false);
    expect(readServeConfig({}, on({ env: { ...older, LAYERPULL_NO_QUEUE: '0' } })).bounds.queueing).toBe(
      true,
    );
    expect(readServeConfig({}, on({ env: { ALLOW_MULTI_NODE_DOWNLOAD: 'true' } })).bounds.queueing).toBe(
      true,
    );
  });
});
