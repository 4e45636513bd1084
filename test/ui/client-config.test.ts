import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { clientConfig, clientNotes } from '../../src/ui/client-config.ts';

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

const pair = { certFile: '/etc/node "x".crt', keyFile: '/etc/node.key' };
const trusted = { url: 'https://m.example:5001', caFile: '/etc/ca "x".pem', pair, asksToken: true } as const;

test('containerd is told of authority and certificates, and where the token belongs, which is not printed', () => {
  const text = clientConfig({ ...trusted, client: 'containerd' });
  const host = {
    ...{ capabilities: ['pull', 'resolve'], ca: trusted.caFile },
    client: [[pair.certFile, pair.keyFile]],
  };
  expect(parse(text)).toEqual({ host: { [trusted.url]: host } });
  const filled = text.replace(/^ {2}# (?=\[| )/gm, '');
  const header = { Authorization: 'Bearer TOKEN' };
  expect(parse(filled)).toEqual({ host: { [trusted.url]: { ...host, header } } });
});

test('podman is told where authority, certificates and token belong', () => {
  const text = clientConfig({ ...trusted, client: 'podman' });
  expect(text).toContain('podman login m.example:5001');
  expect(text).toContain('/etc/containers/certs.d/m.example:5001');
  expect(text).toContain(pair.keyFile);
  expect(parse(text)).toEqual(parse(clientConfig({ client: 'podman', url: trusted.url })));
  expect(clientConfig({ client: 'podman', url: trusted.url, pair })).not.toContain('certs.d');
});

test('what docker has to be told besides is said beside its file, which has no comments', () => {
  const text = clientConfig({ ...trusted, client: 'docker' });
  expect(text).toBe(clientConfig({ client: 'docker', url: trusted.url }));
  const [token, files] = clientNotes({ ...trusted, client: 'docker' });
  expect(token).toMatch(/^docker shows no token to a mirror/);
  expect(files).toContain('/etc/docker/certs.d/m.example:5001');
  expect(clientNotes({ client: 'docker', url })).toEqual([]);
  expect(clientNotes({ ...trusted, client: 'containerd' })).toEqual([]);
});
