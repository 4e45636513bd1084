import { describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/config/agent.ts';
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
    expect(errorOf(() => readAgentConfig({ zone: 'a b' }, machine)).code).toBe('usage');
  });
});
