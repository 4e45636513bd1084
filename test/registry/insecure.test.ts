import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import type { HttpResponse } from '../../src/http/client.ts';
import { speakingEither } from '../../src/registry/insecure.ts';

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
