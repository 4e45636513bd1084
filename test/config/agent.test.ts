import { describe, expect, it } from 'vitest';
import { mirrorUrlOf, readAgentConfig } from '../../src/config/agent.ts';
import type { GivenFlags } from '../../src/config/values.ts';
import { registryFlags } from '../../src/flags/registry.ts';
import { errorOf, machine, on } from '../support/config.ts';

const server = 'lock.example:8080';

describe('the configuration of an agent', () => {
  it('serves other nodes on a port of its own where it has a lock server, else only where it is told to', () => {
    expect(readAgentConfig({ server }, machine).peer).toEqual({
      ...{ host: '0.0.0.0', port: 7041, url: undefined },
    });
    expect(readAgentConfig({}, machine).peer).toBeUndefined();
    expect(readAgentConfig({ 'peer-addr': '127.0.0.1:0' }, machine).peer).toMatchObject({ port: 0 });
  });

  it.each([
    ['http://node-7.example:7041/', 'http://node-7.example:7041'],
    ['https://[2001:db8::7]:7041', 'https://[2001:db8::7]:7041'],
    ['https://proxy.example/node-7', 'https://proxy.example/node-7'],
  ])('names itself to others as %s', (given, url) => {
    expect(readAgentConfig({ server, 'peer-url': given }, machine).peer).toMatchObject({ url });
  });

  it.each(['node-7:7041', 'ftp://node-7', 'http://user:secret@node-7', 'http://node-7/?x=1', ''])(
    'refuses to be named "%s", and shows no password',
    (given) => {
      const error = errorOf(() => readAgentConfig({ server, 'peer-url': given }, machine));
      expect(error.code).toBe('usage');
      expect(error.message).not.toContain('secret');
    },
  );

  it('takes its zone and its patience from flags, the environment and the file', () => {
    const env = { LAYERPULL_ZONE: 'rack-4', LAYERPULL_DRAIN_TIMEOUT: '3s' };
    expect(readAgentConfig({}, on({ env }))).toMatchObject({ zone: 'rack-4', drainMs: 3_000 });
    expect(readAgentConfig({ zone: 'rack-5' }, on({ env })).zone).toBe('rack-5');
    expect(readAgentConfig({}, machine)).toMatchObject({ zone: undefined, drainMs: 20_000, servers: [] });
    expect(readAgentConfig({ 'drain-timeout': '0' }, machine).drainMs).toBe(0);
    expect(readAgentConfig({ 'drain-timeout': '0s' }, machine).drainMs).toBe(0);
    expect(errorOf(() => readAgentConfig({ zone: 'a b' }, machine)).code).toBe('usage');
  });
});

describe('a flag of an agent that would have no effect', () => {
  const refusal = (flags: GivenFlags, env: Readonly<Record<string, string>> = {}) =>
    errorOf(() => readAgentConfig(flags, on({ env })));

  it.each(['mirror-as-agent', 'offline-ttl', ...Object.keys(registryFlags)])(
    'is refused without a mirror, and not shown: --%s',
    (name) => {
      const error = refusal({ server, [name]: 'user:secret' });
      expect(error.code).toBe('usage');
      expect(error.message).toBe(`--${name} has no effect without --registry-addr`);
    },
  );

  it('is refused where no other node is served: --peer-url', () => {
    const error = refusal({ 'peer-url': 'http://node:1' });
    expect(error.code).toBe('usage');
    expect(error.message).toBe('--peer-url has no effect without --peer-addr or --server');
  });

  it('is none where the address is named in another way', () => {
    const env = { LAYERPULL_REGISTRY_ADDR: '127.0.0.1:5001', LAYERPULL_PEER_ADDR: '127.0.0.1:7041' };
    const flags = { 'offline-ttl': '5s', 'mirror-as-agent': true, 'peer-url': 'http://node:1' };
    expect(readAgentConfig(flags, on({ env }))).toMatchObject({
      mirror: { offlineTtlMs: 5_000, asAgent: true },
      peer: { url: 'http://node:1' },
    });
  });

  it('may be said by the environment, which other agents and commands have, too', () => {
    const env = {
      LAYERPULL_OFFLINE_TTL: '5s',
      LAYERPULL_MIRROR_AS_AGENT: 'true',
      LAYERPULL_MIRROR: 'http://mirror:1',
      LAYERPULL_PEER_URL: 'http://node:1',
    };
    expect(readAgentConfig({}, on({ env }))).toMatchObject({ mirror: undefined, peer: undefined });
  });

  it('is not what a switch is that is off', () => {
    expect(readAgentConfig({ 'mirror-as-agent': false }, machine).mirror).toBeUndefined();
  });
});

describe('the registry mirror of an agent', () => {
  const mirrorOf = (flags: GivenFlags) => readAgentConfig(flags, machine).mirror;

  it('is there where an address says so, and shows nothing of the agent by itself', () => {
    expect(readAgentConfig({ server }, machine).mirror).toBeUndefined();
    expect(mirrorOf({ 'registry-addr': '127.0.0.1:5001' })).toMatchObject({
      ...{ address: { host: '127.0.0.1', port: 5_001 }, asAgent: false, offlineTtlMs: 3_600_000 },
    });
    expect(mirrorOf({ 'registry-addr': ':5001' })?.address).toEqual({ host: '::', port: 5_001 });
  });

  it('takes its settings from flags, the environment and the file', () => {
    const env = {
      LAYERPULL_REGISTRY_ADDR: '[::1]:5001',
      LAYERPULL_MIRROR_AS_AGENT: 'true',
      LAYERPULL_OFFLINE_TTL: '10m',
    };
    expect(readAgentConfig({}, on({ env })).mirror).toMatchObject({
      ...{ address: { host: '::1', port: 5_001 }, asAgent: true, offlineTtlMs: 600_000 },
    });
    const given = { 'registry-addr': '127.0.0.1:0', 'mirror-as-agent': false, 'offline-ttl': '5s' };
    expect(readAgentConfig(given, on({ env })).mirror).toMatchObject({
      ...{ address: { host: '127.0.0.1', port: 0 }, asAgent: false, offlineTtlMs: 5_000 },
    });
  });

  it.each([
    ['registry-addr', '5001'],
    ['registry-addr', 'http://127.0.0.1:5001'],
    ['registry-addr', '127.0.0.1:70000'],
    ['registry-addr', '::1:5001'],
    ['offline-ttl', 'long'],
    ['offline-ttl', '-1h'],
  ])('refuses --%s %s', (flag, text) => {
    expect(errorOf(() => mirrorOf({ 'registry-addr': '127.0.0.1:1', [flag]: text })).code).toBe('usage');
  });

  it('refuses settings that cannot be meant, even where there is no mirror', () => {
    expect(errorOf(() => mirrorOf({ 'offline-ttl': 'long' })).code).toBe('usage');
  });
});

describe('the URL by which programs of the node reach the mirror', () => {
  const urlOf = (address: string, flags: GivenFlags = {}) =>
    mirrorUrlOf(readAgentConfig({ 'registry-addr': address, ...flags }, machine));

  it.each([
    ['127.0.0.1:5001', 'http://127.0.0.1:5001'],
    ['mirror.example:80', 'http://mirror.example:80'],
    ['[::1]:5001', 'http://[::1]:5001'],
    ['0.0.0.0:5001', 'http://127.0.0.1:5001'],
    ['[::]:5001', 'http://127.0.0.1:5001'],
    [':5001', 'http://127.0.0.1:5001'],
  ])('is for %s %s', (address, url) => {
    expect(urlOf(address)).toBe(url);
  });

  it('is https with a certificate, and not with an authority alone', () => {
    expect(urlOf('0.0.0.0:5001', { 'tls-cert': 'c', 'tls-key': 'k' })).toBe('https://127.0.0.1:5001');
    expect(urlOf('127.0.0.1:5001', { 'tls-ca': 'a' })).toBe('http://127.0.0.1:5001');
  });

  it('is not known without an address, and without a port', () => {
    const without = errorOf(() => mirrorUrlOf(readAgentConfig({}, machine)));
    expect([without.code, without.message]).toEqual(['usage', '--print-config needs --registry-addr']);
    expect(errorOf(() => urlOf('127.0.0.1:0')).code).toBe('usage');
  });
});
