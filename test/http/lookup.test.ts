import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { expect, it } from 'vitest';
import { refusingLinkLocal } from '../../src/http/lookup.ts';

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
