import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { refuseLinkLocalTarget, refusingLinkLocal } from '../../src/http/lookup.ts';

function look(found: string | LookupAddress[], error: Error | null = null) {
  const inner: LookupFunction = (_hostname, _options, callback) => callback(error, found, 4);
  return new Promise((resolve, reject) => {
    refusingLinkLocal(inner)('name.example', {}, (problem, answer) =>
      problem ? reject(problem) : resolve(answer),
    );
  });
}

it('passes on other addresses and errors', async () => {
  expect(await look('10.0.0.1')).toBe('10.0.0.1');
  const both = [
    { address: '10.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
  expect(await look(both)).toBe(both);
  await expect(look('', new Error('ENOTFOUND'))).rejects.toThrow('ENOTFOUND');
});

it('refuses a name that has a link-local address, also among others', async () => {
  await expect(look('169.254.169.254')).rejects.toThrow('name.example has a link-local address');
  const mixed = [
    { address: '10.0.0.1', family: 4 },
    { address: 'fe80::1', family: 6 },
  ];
  await expect(look(mixed)).rejects.toThrow('link-local');
});

describe('a host that a server named', () => {
  const proxy = { url: new URL('http://proxy.example:3128/'), authorization: undefined, from: 'HTTPS_PROXY' };
  const answering =
    (addresses: readonly string[], error: Error | null = null): LookupFunction =>
    (_hostname, _options, callback) =>
      callback(
        error,
        addresses.map((address) => ({ address, family: 4 })),
      );
  const refused = { code: 'registry_protocol', message: expect.stringContaining('link-local') };

  it('is refused by its address, with and without a proxy', async () => {
    for (const way of [proxy, undefined]) {
      await expect(refuseLinkLocalTarget('169.254.169.254', way)).rejects.toMatchObject(refused);
      await expect(refuseLinkLocalTarget('[fe80::1]', way)).rejects.toMatchObject(refused);
    }
  });

  it('is refused by what its name means here, when a proxy would connect', async () => {
    const inner = answering(['10.0.0.1', '169.254.169.254']);
    await expect(refuseLinkLocalTarget('metadata.example', proxy, inner)).rejects.toMatchObject(refused);
  });

  it('is handed to the proxy when its name means something else here, or nothing', async () => {
    await refuseLinkLocalTarget('cdn.example', proxy, answering(['10.0.0.1']));
    await refuseLinkLocalTarget('cdn.example', proxy, answering([], new Error('ENOTFOUND')));
    await refuseLinkLocalTarget('10.1.2.3', proxy, answering(['169.254.169.254']));
  });

  it('is looked up by the connection itself where there is no proxy', async () => {
    await refuseLinkLocalTarget('cdn.example', undefined, answering(['169.254.169.254']));
  });
});
