import { expect, test } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { parseTarget } from '../../src/peer/mirror-path.ts';
import { formatReference } from '../../src/registry/reference.ts';

const digest = `sha256:${'a1'.repeat(32)}`;

function read(url: string): string {
  try {
    const target = parseTarget(url);
    return 'reference' in target ? `${target.kind} ${formatReference(target.reference)}` : target.kind;
  } catch (error) {
    if (error instanceof LayerpullError) return error.code;
    throw error;
  }
}

test('the registry is that of the query, or the first part of the name, or Docker Hub', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/v2/library/busybox/manifests/1.36?ns=docker.io', 'manifest docker.io/library/busybox:1.36'],
    ['/v2/busybox/manifests/latest?ns=registry-1.docker.io', 'manifest docker.io/library/busybox:latest'],
    [`/v2/a/b/blobs/${digest}?ns=127.0.0.1:5000`, `blob 127.0.0.1:5000/a/b@${digest}`],
    [`/v2/a/b/blobs/${digest}?ns=127.0.0.1%3A5000`, `blob 127.0.0.1:5000/a/b@${digest}`],
    ['/v2/app/manifests/v1?ns=[::1]:5000', 'manifest [::1]:5000/app:v1'],
    [`/v2/library/busybox/manifests/${digest}`, `manifest docker.io/library/busybox@${digest}`],
    ['/v2/docker.io/library/busybox/manifests/latest', 'manifest docker.io/library/busybox:latest'],
    ['/v2/index.docker.io/library/busybox/manifests/latest', 'manifest docker.io/library/busybox:latest'],
    ['/v2/GHCR.io/o/app/manifests/v1', 'manifest ghcr.io/o/app:v1'],
    ['/v2/localhost:5000/app/manifests/v1', 'manifest localhost:5000/app:v1'],
    ['/v2/localhost_5000/app/manifests/v1', 'manifest localhost:5000/app:v1'],
    ['/v2/reg.example_5000/o/app/manifests/v1', 'manifest reg.example:5000/o/app:v1'],
    ['/v2/some_5000/app/manifests/v1', 'manifest docker.io/some_5000/app:v1'],
    ['/v2/manifests/blobs/manifests/v1', 'manifest docker.io/manifests/blobs:v1'],
    [`/v2/a/b/blobs/sha256%3A${'a1'.repeat(32)}`, `blob docker.io/a/b@${digest}`],
    ['/v2', 'base'],
    ['/v2/', 'base'],
    ['/v2/?ns=docker.io', 'base'],
  ];
  for (const [url, expected] of cases) expect([url, read(url)]).toEqual([url, expected]);
});

test('what only a registry has is told from what nobody has', () => {
  for (const path of [
    '_catalog',
    'a/tags/list',
    `a/referrers/${digest}`,
    'a/blobs/uploads/',
    'a/blobs/uploads/1',
  ]) {
    expect([path, read(`/v2/${path}`)]).toEqual([path, 'other']);
  }
  for (const url of ['/', '/v1/', '/v2/a', '/v2/a/manifests', '/v2/a/manifests/', '/v3/a/manifests/b']) {
    expect([url, read(url)]).toEqual([url, 'image_not_found']);
  }
});

test('hostile paths name nothing', () => {
  const hostile = [
    '/v2/../../etc/passwd/manifests/latest',
    '/v2/..%2f..%2fetc/manifests/latest',
    '/v2/a%00b/manifests/latest',
    '/v2/a//b/manifests/latest',
    '/v2/a/manifests/..',
    '/v2/a/manifests/x%0d%0ay',
    '/v2/a/manifests/%zz',
    '/v2/user:pw@host/a/manifests/latest',
    '/v2/a/manifests/latest?ns=user:pw@evil.example',
    '/v2/a/manifests/latest?ns=http://evil.example',
    '/v2/a/manifests/latest?ns=evil.example/path',
    '/v2/a/manifests/latest?ns=',
    '/v2/a/manifests/latest?ns=nodots',
    '/v2/a/manifests/latest?ns=..',
    '/v2/a/manifests/latest?ns=a.example&ns=b.example',
    '/v2/host.example:99999/a/manifests/latest',
    '/v2/A/b/manifests/Ä',
    `/v2/${'a/'.repeat(3_000)}manifests/latest`,
    `/v2/a/manifests/${'t'.repeat(200)}`,
    '/v2/a/manifests/sha256:abc',
  ];
  for (const url of hostile) expect([url, read(url)]).toEqual([url, 'invalid_reference']);
  for (const last of ['latest', 'sha256:abc', 'md5:abc', `sha256:${'A1'.repeat(32)}`]) {
    expect([last, read(`/v2/a/blobs/${last}`)]).toEqual([last, 'invalid_digest']);
  }
});

test('a link-local address is no registry, however it is written', () => {
  const hosts = [
    '169.254.169.254',
    '169.254.169.254:80',
    '2852039166:80',
    '0xa9.254.169.254',
    '169.254.43518',
    '[fe80::1]:5000',
    '[::ffff:169.254.169.254]:80',
    '[64:ff9b::a9fe:a9fe]:80',
  ];
  for (const host of hosts) {
    const urls = [
      `/v2/latest/manifests/meta-data?ns=${host}`,
      `/v2/latest/blobs/${digest}?ns=${host}`,
      `/v2/${host}/latest/manifests/meta-data`,
    ];
    for (const url of urls) expect([url, read(url)]).toEqual([url, 'invalid_reference']);
  }
  expect(() => parseTarget('/v2/a/manifests/b?ns=169.254.169.254')).toThrow(
    '169.254.169.254 is a link-local address, which is not asked',
  );
});
