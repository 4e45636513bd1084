import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../src/http/client.ts';
import { createTokens } from '../../src/registry/auth.ts';
import { endpointOf } from '../../src/registry/endpoint.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { errorOf } from './support.ts';

/** A token service that counts what it gives, or never answers. */
function createService(silent = false) {
  const sent: HttpRequest[] = [];
  const closing = new AbortController();
  const transport = {
    async send(request: HttpRequest) {
      sent.push(request);
      if (silent)
        await new Promise((_, reject) =>
          request.signal?.addEventListener('abort', () => reject(request.signal?.reason)),
        );
      const body = async function* () {
        yield Buffer.from(JSON.stringify({ token: `token-${sent.length}` }));
      };
      return { status: 200, headers: {}, body: body(), discard: async () => {} };
    },
  };
  const clock = createFakeClock();
  return { sent, closing, clock, tokens: createTokens({ transport, clock, closed: closing.signal }) };
}

const scope = { endpoint: endpointOf('docker.io', false), repository: 'library/app' };
const service = { realm: 'https://auth.docker.io/token?x=1', service: 'registry.docker.io' };
const { signal } = new AbortController();

describe('tokens', () => {
  it('are asked for with service and scope, beside what the realm has', async () => {
    const { tokens, sent } = createService();
    expect(await tokens.renew(scope, service, undefined, signal)).toEqual({ value: 'token-1' });
    expect(sent[0]?.url.href).toBe(
      'https://auth.docker.io/token?x=1&service=registry.docker.io&scope=repository%3Alibrary%2Fapp%3Apull',
    );
    expect(sent[0]?.headers ?? {}).not.toHaveProperty('authorization');
    expect(await tokens.current(scope, signal)).toEqual({ value: 'token-1' });
  });

  it('are renewed only for one that saw the newest refused', async () => {
    const { tokens, sent } = createService();
    await tokens.renew(scope, service, undefined, signal);
    const late = await tokens.renew(scope, service, undefined, signal);
    const other = await tokens.renew(scope, service, 'token-1', signal);
    expect([late.value, other.value]).toEqual(['token-1', 'token-2']);
    expect(sent).toHaveLength(2);
  });

  it('of an https registry never come over http', async () => {
    const { tokens, sent } = createService();
    const error = await errorOf(
      tokens.renew(scope, { ...service, realm: 'http://auth.docker.io/' }, undefined, signal),
    );
    expect(error).toMatchObject({ code: 'registry_protocol', message: expect.stringContaining('not https') });
    expect(sent).toHaveLength(0);
  });

  it('that one caller no longer wants still come for the other', async () => {
    const { tokens, sent } = createService();
    const abort = new AbortController();
    const one = errorOf(tokens.renew(scope, service, undefined, abort.signal));
    const other = tokens.renew(scope, service, undefined, signal);
    abort.abort(new Error('interrupted'));
    expect(await one).toMatchObject({ message: 'interrupted' });
    expect(await other).toEqual({ value: 'token-1' });
    expect(sent).toHaveLength(1);
  });

  it('that do not come within 30 s fail, and closing ends the wait', async () => {
    const { tokens, clock, closing } = createService(true);
    const late = errorOf(tokens.renew(scope, service, undefined, signal));
    await clock.advance(30_000);
    expect(await late).toMatchObject({
      code: 'registry_unreachable',
      message: expect.stringContaining('30 s'),
    });
    const closed = errorOf(tokens.renew(scope, service, undefined, signal));
    closing.abort(new Error('closed'));
    expect(await closed).toMatchObject({ message: 'closed' });
    expect(clock.pending()).toBe(0);
  });
});
