import { describe, expect, it } from 'vitest';
import { readServeConfig } from '../../src/config/serve.ts';
import { readServingTrust, readTrust } from '../../src/config/trust.ts';
import { type Machine, readStatusConfig } from '../../src/config.ts';
import { errorOf, machine, on } from '../support/config.ts';

const file = (settings: Record<string, string>): Partial<Machine> => ({
  file: { path: '/config.toml', settings: new Map(Object.entries(settings)), registries: new Map() },
});
const pair = { 'tls-cert': 'node.crt', 'tls-key': '/keys/node.key' };

describe('what a fleet trusts', () => {
  it('is nothing where nothing was given', () => {
    expect(readTrust({}, machine)).toBeUndefined();
    expect(readServeConfig({}, machine).trust).toBeUndefined();
    expect(readStatusConfig({}, machine).trust).toBeUndefined();
  });

  it('is read from flags, with absolute paths', () => {
    const flags = { 'token-file': 'fleet.token', 'tls-ca': 'ca.pem', ...pair };
    const trust = {
      tokenFile: '/project/fleet.token',
      pair: { certFile: '/project/node.crt', keyFile: '/keys/node.key' },
      caFile: '/project/ca.pem',
    };
    expect(readTrust(flags, machine)).toEqual(trust);
    expect(readServeConfig(flags, machine).trust).toEqual(trust);
    expect(readStatusConfig(flags, machine).trust).toEqual(trust);
  });

  it('is read from variables and the configuration file, too', () => {
    const env = { LAYERPULL_TOKEN_FILE: '/t', LAYERPULL_TLS_CERT: '/c', LAYERPULL_TLS_KEY: '/k' };
    const both = on({ env, ...file({ 'token-file': '/other', 'tls-ca': '/ca' }) });
    expect(readTrust({}, both)).toEqual({
      tokenFile: '/t',
      pair: { certFile: '/c', keyFile: '/k' },
      caFile: '/ca',
    });
  });

  it('is overruled by an empty flag', () => {
    expect(readTrust({ 'token-file': '' }, on({ env: { LAYERPULL_TOKEN_FILE: '/t' } }))).toBeUndefined();
  });

  it.each([
    [{ 'tls-cert': 'c' }, '--tls-cert is given without --tls-key'],
    [{ 'tls-key': 'k' }, '--tls-key is given without --tls-cert'],
    [{ 'token-file': ' ' }, '--token-file: " " names no file'],
  ])('is refused with %o', (flags, message) => {
    expect(errorOf(() => readTrust(flags, machine)).message).toBe(message);
  });

  it('names the variable that is given without the other', () => {
    const error = errorOf(() => readTrust({}, on({ env: { LAYERPULL_TLS_KEY: '/k' } })));
    expect(error.message).toBe('LAYERPULL_TLS_KEY is given without --tls-cert');
  });

  it('has to have a pair where a server asks for certificates', () => {
    expect(errorOf(() => readServingTrust({ 'tls-ca': 'ca' }, machine))).toMatchObject({
      code: 'usage',
      message: '--tls-ca asks clients for certificates over TLS, which needs one here',
      hint: 'give --tls-cert and --tls-key, too',
    });
    expect(readTrust({ 'tls-ca': 'ca' }, machine)).toMatchObject({ caFile: '/project/ca' });
    expect(readServingTrust({ 'tls-ca': 'ca', ...pair }, machine)?.caFile).toBe('/project/ca');
  });
});

describe('a server of --server without a scheme', () => {
  it.each([
    ['http', {}],
    ['http', { 'token-file': 't' }],
    ['https', { 'tls-ca': 'ca' }],
    ['https', pair],
  ])('is spoken to in %s with %o', (scheme, flags) => {
    const { servers } = readStatusConfig({ server: 'lock:1,http://plain:2', ...flags }, machine);
    expect(servers.map(String)).toEqual([`${scheme}://lock:1/`, 'http://plain:2/']);
  });
});
