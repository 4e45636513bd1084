import { describe, expect, it } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../src/http/client.ts';
import { sendFollowing } from '../../src/http/redirects.ts';

/** Answers by URL: a string is a redirect to it, a number a status. Everything else is 200. */
function scripted(answers: Readonly<Record<string, string | number>>) {
  const sent: HttpRequest[] = [];
  let discarded = 0;
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    sent.push(request);
    const answer = answers[request.url.href];
    const redirect = typeof answer === 'string';
    return {
      status: redirect ? 307 : (answer ?? 200),
      headers: redirect ? { location: answer } : {},
      body: (async function* () {})(),
      discard: async () => {
        discarded += 1;
      },
    };
  };
  return { send, sent, discarded: () => discarded };
}

const headers = { Authorization: 'Bearer secret', accept: 'x/y' };

function get(client: ReturnType<typeof scripted>, url: string) {
  return sendFollowing(client, { method: 'GET', url: new URL(url), headers });
}

describe('a redirect', () => {
  it('is followed, and the last URL is told', async () => {
    const client = scripted({ 'https://a/x': '/y', 'https://a/y': 'https://b/z?sig=1' });
    const response = await get(client, 'https://a/x');
    expect(response.status).toBe(200);
    expect(response.url.href).toBe('https://b/z?sig=1');
    expect(client.discarded()).toBe(2);
  });

  it('keeps Authorization on its host and drops it for another, for good', async () => {
    const client = scripted({
      'https://a/1': '/2',
      'https://a/2': 'https://b/3',
      'https://b/3': 'https://a/4',
    });
    await get(client, 'https://a/1');
    expect(client.sent.map((one) => one.headers?.['Authorization'])).toEqual([
      'Bearer secret',
      'Bearer secret',
      undefined,
      undefined,
    ]);
    expect(client.sent.every((one) => one.headers?.['accept'] === 'x/y')).toBe(true);
  });

  it('to another port or scheme is one to another host', async () => {
    const client = scripted({ 'http://a/1': 'http://a:81/2', 'http://b/1': 'https://b/2' });
    await get(client, 'http://a/1');
    await get(client, 'http://b/1');
    expect(client.sent[1]?.headers).not.toHaveProperty('Authorization');
    expect(client.sent[3]?.headers).not.toHaveProperty('Authorization');
  });

  it('may follow on another five times and no more', async () => {
    const chain = (hops: number) =>
      Object.fromEntries(Array.from({ length: hops }, (_, hop) => [`https://a/${hop}`, `/${hop + 1}`]));
    expect((await get(scripted(chain(5)), 'https://a/0')).status).toBe(200);
    await expect(get(scripted(chain(6)), 'https://a/0')).rejects.toMatchObject({ code: 'registry_protocol' });
  });

  it.each([
    ['https://a/', 'http://a/', 'from https to http://a'],
    ['http://a/', 'ftp://a/', 'ftp:'],
    ['http://a/', 'file:///etc/passwd', 'file:'],
    ['http://a/', 'http://169.254.169.254/latest', 'link-local'],
    ['http://a/', 'http://[fe80::1]/', 'link-local'],
    ['http://a/', 'http://[::ffff:169.254.169.254]/', 'link-local'],
    ['http://a/', 'http://0xa9fea9fe/', 'link-local'],
    ['http://a/', 'http://user:hunter2@b/', 'credentials'],
    ['http://a/', 'http://', 'no URL'],
  ])('from %s to %s is refused', async (from, to, problem) => {
    const client = scripted({ [from]: to });
    const error: unknown = await get(client, from).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'registry_protocol', message: expect.stringContaining(problem) });
    expect(String(error)).not.toContain('hunter2');
    expect(client.sent).toHaveLength(1);
    expect(client.discarded()).toBe(1);
  });

  it('without a place is refused, and other 3xx are answers', async () => {
    await expect(get(scripted({ 'http://a/': '' }), 'http://a/')).rejects.toThrow();
    const { send } = scripted({ 'http://a/': 302 });
    await expect(sendFollowing({ send }, { method: 'GET', url: new URL('http://a/') })).rejects.toThrow(
      'where to',
    );
    expect((await get(scripted({ 'http://a/': 304 }), 'http://a/')).status).toBe(304);
  });
});
