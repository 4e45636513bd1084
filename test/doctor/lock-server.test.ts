import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { ok, problem, warning } from '../../src/doctor/finding.ts';
import { checkLockServer, tellWhichAnswer } from '../../src/doctor/lock-server.ts';
import { createHttpClient } from '../../src/http/client.ts';
import { onCleanup } from '../support/cleanup.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const healthy: Answer = (_, response) => response.end('{"status":"ok"}');

/** Looks at a server that answers like this. */
async function look(
  answer: Answer,
  parts: { askAsMember?: () => Promise<unknown>; signal?: AbortSignal } = {},
) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const http = createHttpClient({ userAgent: 'test' });
  onCleanup(async () => {
    await http.close();
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const { askAsMember = async () => [], signal = new AbortController().signal } = parts;
  return await checkLockServer({ server: url, http, clock: systemClock, askAsMember, signal });
}

describe('the doctor of a lock server', () => {
  it('says that it lives, takes clients, and takes this one', async () => {
    const [finding, ...others] = await look(healthy);
    expect(finding).toMatchObject({
      verdict: 'ok',
      message: expect.stringMatching(/^http:\S+ answers, and lets this node in$/),
    });
    expect(others).toEqual([]);
  });

  it('warns where the two live at other times', async () => {
    const [, finding] = await look((request, response) => {
      response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString());
      healthy(request, response);
    });
    expect(finding).toMatchObject({
      check: 'clock',
      verdict: 'warning',
      message: expect.stringMatching(/differ by 3(599|600|601) s$/),
    });
  });

  it('does without a date, and with one that is none', async () => {
    for (const date of [undefined, 'tomorrow']) {
      const findings = await look((request, response) => {
        response.sendDate = false;
        if (date) response.setHeader('date', date);
        healthy(request, response);
      });
      expect(findings).toHaveLength(1);
    }
  });

  it('tells why it takes no new clients', async () => {
    const [finding] = await look((request, response) => {
      if (request.url === '/healthz') return healthy(request, response);
      response.writeHead(503).end('{"message":"as many streams are open as there may be"}');
    });
    expect(finding).toMatchObject({
      verdict: 'problem',
      code: 'lock_unreachable',
      message: expect.stringContaining('takes no new clients: as many streams are open'),
    });
  });

  it('says to look at its etcd where it is without one', async () => {
    const [finding] = await look((request, response) => {
      if (request.url === '/healthz') return healthy(request, response);
      response.writeHead(503).end('{"message":"etcd is out of reach","code":"lock_unreachable"}');
    });
    expect(finding).toMatchObject({
      code: 'lock_unreachable',
      message: expect.stringMatching(/takes no new clients: etcd is out of reach$/),
      hint: expect.stringMatching(/^look at its etcd/),
    });
  });

  it.each<[string, Answer, string]>([
    ['another service', (_, response) => response.writeHead(404).end('{}'), 'lock_protocol'],
    ['a page', (_, response) => response.end('<html>'), 'lock_protocol'],
    ['a broken connection', (request) => request.socket.destroy(), 'lock_unreachable'],
    ['an endless answer', (_, response) => response.end('x'.repeat(70_000)), 'lock_unreachable'],
    [
      'another kind of unready',
      (request, response) =>
        request.url === '/readyz' ? response.writeHead(404).end() : healthy(request, response),
      'lock_protocol',
    ],
  ])('tells %s', async (_, answer, code) => {
    expect(await look(answer)).toEqual([
      expect.objectContaining({ check: 'lock server', verdict: 'problem', code, hint: expect.any(String) }),
    ]);
  });

  it('tells that it is not let in', async () => {
    const askAsMember = async () => {
      throw new LayerpullError('lock_denied', 'no', { hint: 'give the token' });
    };
    expect(await look(healthy, { askAsMember })).toEqual([
      {
        check: 'lock server',
        verdict: 'problem',
        message: 'no',
        hint: 'give the token',
        code: 'lock_denied',
      },
    ]);
  });

  it('ends at once when it is told to', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    await expect(look(() => stop.abort(reason), { signal: stop.signal })).rejects.toBe(reason);
  });
});

describe('the doctor of several lock servers', () => {
  const servers = ['http://a:8080', 'http://b:8080', 'http://c:8080'].map((url) => new URL(url));
  const well = [ok('lock server', 'answers'), warning('clock', 'differs')];
  const ill = [problem('lock server', 'does not answer')];

  it('says which of them clients go on with', () => {
    expect(tellWhichAnswer(servers, [well, ill, well])).toEqual([
      ok('lock servers', 'clients go on with http://a:8080, http://c:8080: 2 of 3'),
    ]);
  });

  it('says nothing more where all are well, and where none is', () => {
    expect(tellWhichAnswer(servers, [well, well, well])).toEqual([]);
    expect(tellWhichAnswer(servers, [ill, ill, ill])).toEqual([]);
  });
});
