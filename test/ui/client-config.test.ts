import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { clientConfig } from '../../src/ui/client-config.ts';

const url = 'http://127.0.0.1:5001';

test('containerd gets a hosts.toml for every registry', () => {
  const text = clientConfig({ client: 'containerd', url });
  expect(parse(text)).toEqual({ host: { [url]: { capabilities: ['pull', 'resolve'] } } });
  expect(text).toMatch(/^# \/etc\/containerd\/certs\.d\/_default\/hosts\.toml\n/);
});

test('docker gets a daemon.json, which calls only a mirror elsewhere insecure', () => {
  expect(JSON.parse(clientConfig({ client: 'docker', url }))).toEqual({ 'registry-mirrors': [url] });
  const elsewhere = JSON.parse(clientConfig({ client: 'docker', url: 'http://10.0.0.7:5001' }));
  expect(elsewhere).toEqual({
    'registry-mirrors': ['http://10.0.0.7:5001'],
    'insecure-registries': ['10.0.0.7:5001'],
  });
  const secure = JSON.parse(clientConfig({ client: 'docker', url: 'https://mirror.example:5001' }));
  expect(secure).toEqual({ 'registry-mirrors': ['https://mirror.example:5001'] });
});

test('podman gets a registries.conf with each registry as the first part of the name', () => {
  const registries = ['docker.io', 'registry.example:5000'];
  expect(parse(clientConfig({ client: 'podman', url, registries }))).toEqual({
    registry: [
      {
        prefix: 'docker.io',
        location: 'docker.io',
        mirror: [{ location: '127.0.0.1:5001/docker.io', insecure: true }],
      },
      {
        prefix: 'registry.example:5000',
        location: 'registry.example:5000',
        mirror: [{ location: '127.0.0.1:5001/registry.example_5000', insecure: true }],
      },
    ],
  });
  expect(clientConfig({ client: 'podman', url: 'https://m.example' })).not.toContain('insecure');
});

test('an authority is named, and where the token belongs, which is not printed', () => {
  const options = { url: 'https://m.example:5001', caFile: '/etc/ca "x".pem', asksToken: true } as const;
  const containerd = clientConfig({ ...options, client: 'containerd' });
  expect(parse(containerd)).toEqual({
    host: { 'https://m.example:5001': { capabilities: ['pull', 'resolve'], ca: '/etc/ca "x".pem' } },
  });
  const uncommented = containerd.replace(/^ {2}# (\[| )/gm, '$1').replace('TOKEN:', '');
  expect(parse(uncommented.replace(/^ {2}# The.*$/m, ''))).toMatchObject({
    host: { 'https://m.example:5001': { header: { Authorization: 'Bearer TOKEN' } } },
  });
  const podman = clientConfig({ ...options, client: 'podman' });
  expect(podman).toContain('podman login m.example:5001');
  expect(podman).toContain('/etc/containers/certs.d/m.example:5001');
});
