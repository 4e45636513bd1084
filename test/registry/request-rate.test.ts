import { describe, expect, it } from 'vitest';
import type { HttpResponse } from '../../src/http/client.ts';
import { limitingRequests } from '../../src/registry/request-rate.ts';
import type { Transport } from '../../src/registry/transport.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { createRig, first } from './support.ts';

const url = new URL('http://registry.test/');

function setUp(requestsPerSecond: number) {
  const clock = createFakeClock();
  const sent: [string, number][] = [];
  const transport: Transport = {
    async send({ headers = {} }): Promise<HttpResponse> {
      sent.push([headers['name'] ?? '', clock.now()]);
      return { status: 200, headers: {}, body: (async function* () {})(), discard: async () => {} };
    },
  };
  const limited = limitingRequests(transport, clock, requestsPerSecond);
  const send = (name: string, more: { signal?: AbortSignal; onHold?: (holding: boolean) => void } = {}) =>
    limited.send({ method: 'GET', url, headers: { name }, ...more });
  return { clock, sent, send, transport, limited };
}

describe('a limit of requests per second', () => {
  it('sends the first at once and the others in their turn', async () => {
    const { clock, sent, send } = setUp(4);
    const all = Promise.all(['a', 'b', 'c'].map((name) => send(name)));
    await settle();
    expect(sent).toEqual([['a', 0]]);
    await clock.advance(1_000);
    await all;
    expect(sent).toEqual([
      ['a', 0],
      ['b', 250],
      ['c', 500],
    ]);
  });

  it('does not save up what was not used', async () => {
    const { clock, sent, send } = setUp(1);
    await clock.advance(60_000);
    void send('a');
    void send('b');
    await settle();
    expect(sent.map(([name]) => name)).toEqual(['a']);
    await clock.advance(1_000);
    expect(sent.map(([name]) => name)).toEqual(['a', 'b']);
  });

  it('lets tokens and manifests go before layers, and tells these while they are held back', async () => {
    const { clock, sent, send } = setUp(1);
    const held: boolean[] = [];
    void send('a');
    void send('layer', { onHold: (holding) => held.push(holding) });
    void send('token');
    await clock.advance(1_000);
    expect(sent.map(([name]) => name)).toEqual(['a', 'token']);
    expect(held).toEqual([true]);
    await clock.advance(1_000);
    expect(sent.map(([name]) => name)).toEqual(['a', 'token', 'layer']);
    expect(held).toEqual([true, false]);
  });

  it('gives the turn of a request that was cancelled to the next', async () => {
    const { clock, sent, send } = setUp(1);
    const abort = new AbortController();
    void send('a');
    const cancelled = send('b', { signal: abort.signal });
    void send('c');
    await settle();
    abort.abort(new Error('interrupted'));
    await expect(cancelled).rejects.toThrow('interrupted');
    await clock.advance(1_000);
    expect(sent.map(([name]) => name)).toEqual(['a', 'c']);
  });

  it('leaves no timer behind when the last request that waits is cancelled', async () => {
    const { clock, send } = setUp(1);
    const abort = new AbortController();
    void send('a');
    const cancelled = send('b', { signal: abort.signal });
    await settle();
    abort.abort(new Error('interrupted'));
    await expect(cancelled).rejects.toThrow('interrupted');
    await settle();
    expect(clock.pending()).toBe(0);
    void send('c');
    await clock.advance(2_000);
  });

  it('holds for a request that comes the moment the last that waited is cancelled', async () => {
    const { clock, sent, send } = setUp(1);
    const abort = new AbortController();
    void send('a');
    const cancelled = send('b', { signal: abort.signal });
    await settle();
    abort.abort(new Error('interrupted'));
    void send('c');
    await expect(cancelled).rejects.toThrow('interrupted');
    await settle();
    expect(sent.map(([name]) => name)).toEqual(['a']);
    await clock.advance(2_000);
    expect(sent.map(([name]) => name)).toEqual(['a', 'c']);
  });

  it('is none when it is 0', () => {
    const { transport, limited } = setUp(0);
    expect(limited).toBe(transport);
  });

  it('counts requests for manifests, tokens, layers and where redirects lead', async () => {
    const clock = createFakeClock();
    const rig = await createRig({ auth: { kind: 'bearer' }, clock, requestsPerSecond: 1 });
    const { fake } = rig;
    const image = fake.addImage({ layers: [10] });
    const layer = first(image.layers);
    fake.fault(layer.digest, { kind: 'presigned' });
    const work = rig.resolve(image.reference).then(() => rig.read(layer));
    let over = false;
    void work.finally(() => {
      over = true;
    });
    const seenMs: number[] = [];
    while (!over) {
      if (seenMs.length < fake.requests.length) seenMs.push(clock.now());
      else if (clock.pending() > 0 && fake.requests.every(({ status }) => status > 0))
        await clock.advance(50);
      await settle();
    }
    expect((await work).equals(layer.bytes)).toBe(true);
    expect(fake.requests.map(({ path }) => path.split('/')[1])).toEqual([
      'v2',
      'token',
      'v2',
      'v2',
      'presigned',
    ]);
    for (const [place, ms] of seenMs.entries()) expect(ms).toBeGreaterThanOrEqual(place * 1_000);
  });
});
