import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import type { HttpResponse } from '../../src/http/client.ts';
import { speakingEither } from '../../src/registry/insecure.ts';
import { createRig, first } from './support.ts';

const response: HttpResponse = {
  status: 200,
  headers: {},
  body: (async function* () {})(),
  discard: async () => {},
};
const unreachable = (scheme: string) => new LayerpullError('registry_unreachable', `${scheme} failed`);

/** A transport on which these schemes fail. */
function transport(...failing: string[]) {
  const asked: string[] = [];
  const either = speakingEither(
    {
      async send({ url }) {
        asked.push(url.href);
        const scheme = url.protocol.slice(0, -1);
        if (failing.includes(scheme)) throw unreachable(scheme);
        return response;
      },
    },
    new Set(['x.example', 'y.example:5000']),
  );
  const get = (url: string) => either.send({ method: 'GET', url: new URL(url) });
  return { asked, get };
}

describe('an insecure registry', () => {
  it('is asked over https while that works', async () => {
    const { asked, get } = transport('http');
    await get('https://x.example/v2/');
    expect(asked).toEqual(['https://x.example/v2/']);
  });

  it('is asked over http once it could not be reached over https, and stays with it', async () => {
    const { asked, get } = transport('https');
    await get('https://y.example:5000/v2/a?b=c');
    await get('https://y.example:5000/v2/d');
    expect(asked).toEqual([
      'https://y.example:5000/v2/a?b=c',
      'http://y.example:5000/v2/a?b=c',
      'http://y.example:5000/v2/d',
    ]);
  });

  it('has the error of https where neither works', async () => {
    const { get } = transport('http', 'https');
    await expect(get('https://x.example/')).rejects.toThrow('https failed');
  });
});

describe('any other registry', () => {
  it('is never asked over http', async () => {
    const { asked, get } = transport('https');
    await expect(get('https://z.example/')).rejects.toThrow('https failed');
    expect(asked).toEqual(['https://z.example/']);
  });
});

describe('an insecure registry that speaks http only', () => {
  const auth = { kind: 'bearer' } as const;

  it('may name a token service that does, too', async () => {
    const { fake, resolve, readResuming } = await createRig({ insecure: true, auth });
    const image = fake.addImage({ layers: [5_000] });
    const layer = first(image.layers);
    expect((await resolve(image.reference)).manifest.descriptor.digest).toBe(image.digest);
    expect((await readResuming(layer)).equals(layer.bytes)).toBe(true);
    expect(fake.requests.filter(({ path }) => path === '/token')).toHaveLength(1);
  });

  it('may redirect to http, and shows no token to where that leads', async () => {
    const far = await createRig();
    const { fake, resolve, readResuming } = await createRig({ insecure: true, auth });
    const image = fake.addImage({ layers: [5_000] });
    far.fake.addImage({ layers: [5_000] });
    const layer = first(image.layers);
    fake.fault(layer.digest, {
      kind: 'redirectsTo',
      url: `${far.fake.url}/v2/library/app/blobs/${layer.digest}`,
    });
    await resolve(image.reference);
    expect((await readResuming(layer)).equals(layer.bytes)).toBe(true);
    expect(far.fake.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('denies a blob for good, while an old address that it redirected to is asked for anew', async () => {
    const { fake, readResuming } = await createRig({ insecure: true });
    const layer = first(fake.addImage({ layers: [5_000] }).layers);
    fake.fault(layer.digest, { kind: 'presigned', expired: true });
    expect((await readResuming(layer)).equals(layer.bytes)).toBe(true);
    fake.fault(layer.digest, { kind: 'denied' });
    await expect(readResuming(layer)).rejects.toMatchObject({ code: 'access_denied' });
  });
});
