import { describe, expect, it } from 'vitest';
import { readDoctorConfig } from '../../src/config/doctor.ts';
import { errorOf, machine, on } from '../support/config.ts';

const containerdOf = (...given: Parameters<typeof readDoctorConfig>) => readDoctorConfig(...given).containerd;

describe('the configuration of a doctor', () => {
  it('looks where containerd itself looks', () => {
    expect(containerdOf({}, machine)).toEqual({
      configFile: '/etc/containerd/config.toml',
      isConfigNamed: false,
      socket: undefined,
      contentSocket: undefined,
    });
  });

  it('takes paths of its flags, from the directory in which it runs', () => {
    const flags = {
      'containerd-config': 'c.toml',
      'containerd-socket': '/run/c.sock',
      'content-socket': 'x.sock',
    };
    expect(containerdOf(flags, machine)).toEqual({
      configFile: '/project/c.toml',
      isConfigNamed: true,
      socket: '/run/c.sock',
      contentSocket: '/project/x.sock',
    });
  });

  it('knows the socket that the plugin and the agent of this machine are told of', () => {
    const env = { LAYERPULL_SOCKET: '/run/plugin.sock' };
    expect(containerdOf({}, on({ env })).contentSocket).toBe('/run/plugin.sock');
    const both = { ...env, LAYERPULL_CONTENT_SOCKET: '/run/agent.sock' };
    expect(containerdOf({}, on({ env: both })).contentSocket).toBe('/run/agent.sock');
    expect(containerdOf({ 'content-socket': '' }, on({ env })).contentSocket).toBeUndefined();
  });

  it('refuses a path of blanks', () => {
    expect(errorOf(() => readDoctorConfig({ 'containerd-config': ' ' }, machine))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('names no file'),
    });
  });
});
