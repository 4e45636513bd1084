import { describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/config/agent.ts';
import { readContentPluginConfig } from '../../src/config/content-plugin.ts';
import type { GivenFlags } from '../../src/config/values.ts';
import type { Machine } from '../../src/config.ts';
import { errorOf, machine, on } from '../support/config.ts';

const root = on({ superuser: true });
const read = (flags: GivenFlags, of: Machine = root) => readContentPluginConfig(flags, of);

describe('the configuration of a content plugin', () => {
  it('has its socket where root keeps such things, for others in their folder for the session', () => {
    expect(read({}).socket).toBe('/run/layerpull/content.sock');
    const env = { XDG_RUNTIME_DIR: '/run/user/1000' };
    expect(read({}, on({ env })).socket).toBe('/run/user/1000/layerpull/content.sock');
    const { code, hint } = errorOf(() => read({}, machine));
    expect([code, hint]).toEqual(['usage', 'give its path with --socket, or set XDG_RUNTIME_DIR']);
  });

  it('takes what older clients were told by their environment', () => {
    const env = {
      LOCK_SERVER_URL: 'http://lock.example:8080',
      NODE_ID: 'node-7',
      CONTENTD_SOCKET: 'unix:///run/contentd.sock',
    };
    const config = read({}, on({ env, superuser: true }));
    expect(config).toMatchObject({ node: 'node-7', socket: '/run/contentd.sock' });
    expect(config.servers.map(({ href }) => href)).toEqual(['http://lock.example:8080/']);
    expect(read({ socket: '/run/mine.sock' }, on({ env })).socket).toBe('/run/mine.sock');
    const own = { ...env, LAYERPULL_SOCKET: '/run/own.sock' };
    expect(read({}, on({ env: own })).socket).toBe('/run/own.sock');
  });

  it.each([
    ['content.sock', '/project/content.sock'],
    ['../c.sock', '/c.sock'],
    ['unix:///run/c.sock', '/run/c.sock'],
  ])('reads the socket %s as %s', (given, socket) => {
    expect(read({ socket: given }).socket).toBe(socket);
    expect(readAgentConfig({ 'content-socket': given }, machine).contentSocket).toBe(socket);
  });

  it.each(['tcp://127.0.0.1:1', '/run/', ' ', '/run/a\0b'])('refuses the socket "%s"', (socket) => {
    expect(errorOf(() => read({ socket })).code).toBe('usage');
  });

  it('refuses a path that the kernel would cut, in one clear line', () => {
    const longest = `/${'a'.repeat(106)}`;
    expect(read({ socket: longest }).socket).toBe(longest);
    const { code, message, hint } = errorOf(() => read({ socket: `${longest}a` }));
    expect([code, hint]).toEqual(['usage', 'choose a shorter one']);
    expect(message).toContain("has 108 bytes, and a socket's path at most 107");
    expect(errorOf(() => read({ socket: `/${'ü'.repeat(54)}` })).message).toContain('109 bytes');
  });

  it('counts as an agent in all else', () => {
    const flags = { server: 'lock.example:8080', zone: 'rack-4', 'drain-timeout': '3s' };
    expect(read(flags)).toMatchObject({
      ...{ zone: 'rack-4', drainMs: 3_000, peer: { host: '0.0.0.0', port: 7_041 } },
    });
    expect(read({}).peer).toBeUndefined();
    expect(read({}).containerdSocket).toBeUndefined();
    expect(read({ 'containerd-socket': '/run/containerd/containerd.sock' }).containerdSocket).toBe(
      '/run/containerd/containerd.sock',
    );
  });

  it('gives an agent no content socket unless somebody asks for one', () => {
    const env = { CONTENTD_SOCKET: '/run/contentd.sock' };
    expect(readAgentConfig({}, on({ env })).contentSocket).toBeUndefined();
  });
});
