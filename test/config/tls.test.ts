import { describe, expect, it } from 'vitest';
import { readProxyConfig } from '../../src/config/proxy.ts';
import { readTlsConfig } from '../../src/config/tls.ts';
import { errorOf, machine, on } from '../support/config.ts';

describe('the configuration of certificates', () => {
  it('has these defaults', () => {
    expect(readTlsConfig({}, machine)).toEqual({
      caFiles: [],
      certDir: undefined,
      moreCertDirs: [
        '/home/user/.config/containers/certs.d',
        '/etc/containers/certs.d',
        '/home/user/.config/docker/certs.d',
        '/etc/docker/certs.d',
      ],
      skipVerify: false,
      systemCaFiles: expect.arrayContaining(['/etc/ssl/certs/ca-certificates.crt']),
      extraCaFile: undefined,
    });
  });

  it('takes paths from the working directory', () => {
    const flags = { 'ca-cert': 'a.pem, /etc/b.pem', 'cert-dir': 'certs' };
    expect(readTlsConfig(flags, machine)).toMatchObject({
      caFiles: ['/project/a.pem', '/etc/b.pem'],
      certDir: '/project/certs',
    });
  });

  it('prefers flags to variables', () => {
    const env = {
      LAYERPULL_CA_CERT: 'a.pem',
      LAYERPULL_CERT_DIR: 'certs',
      LAYERPULL_INSECURE_SKIP_TLS_VERIFY: 'true',
    };
    expect(readTlsConfig({}, on({ env }))).toMatchObject({
      caFiles: ['/project/a.pem'],
      certDir: '/project/certs',
      skipVerify: true,
    });
    const flags = { 'ca-cert': 'b.pem', 'cert-dir': '/other', 'insecure-skip-tls-verify': false };
    expect(readTlsConfig(flags, on({ env }))).toMatchObject({
      caFiles: ['/project/b.pem'],
      certDir: '/other',
      skipVerify: false,
    });
  });

  it('knows where the environment says that certificates are', () => {
    const env = { SSL_CERT_FILE: 'all.pem', NODE_EXTRA_CA_CERTS: '/more.pem', XDG_CONFIG_HOME: '/config' };
    const config = readTlsConfig({}, on({ env }));
    expect(config).toMatchObject({ systemCaFiles: ['/project/all.pem'], extraCaFile: '/more.pem' });
    expect(config.moreCertDirs).toContain('/config/docker/certs.d');
    const relative = readTlsConfig({}, on({ env: { XDG_CONFIG_HOME: 'config' } }));
    expect(relative.moreCertDirs).toContain('/home/user/.config/docker/certs.d');
  });

  it.each([
    ['ca-cert', ''],
    ['ca-cert', ','],
    ['ca-cert', 'a.pem,,b.pem'],
    ['cert-dir', ' '],
  ])('refuses --%s "%s"', (flag, text) => {
    expect(errorOf(() => readTlsConfig({ [flag]: text }, machine)).code).toBe('usage');
  });
});

describe('the configuration of proxies', () => {
  it('is nothing by default, and for empty variables', () => {
    const nothing = { http: undefined, https: undefined, noProxy: '' };
    expect(readProxyConfig(machine)).toEqual(nothing);
    expect(readProxyConfig(on({ env: { HTTP_PROXY: '', https_proxy: ' ' } }))).toEqual(nothing);
  });

  it('comes from variables in upper and in lower case, and upper case counts', () => {
    const env = { http_proxy: 'a:1', HTTPS_PROXY: 'b:2', https_proxy: 'c:3', no_proxy: 'x', NO_PROXY: 'y' };
    expect(readProxyConfig(on({ env }))).toEqual({
      http: { text: 'a:1', from: 'http_proxy' },
      https: { text: 'b:2', from: 'HTTPS_PROXY' },
      noProxy: 'y',
    });
  });
});
