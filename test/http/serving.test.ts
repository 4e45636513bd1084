import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect as connectInClear } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.ts';
import { openFleetTrust, type TrustFiles } from '../../src/http/fleet-trust.ts';
import { createServing, type Serving } from '../../src/http/serving.ts';
import { createAuthority } from '../support/certificates.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { type FleetFiles, fleetAuthority, fleetFiles, localNames } from '../support/fleet-files.ts';

const strangers = createAuthority('Strangers');

/** A server that answers 200 to whom it serves, and else 401 with the code of the refusal. */
async function start(files: TrustFiles) {
  const trust = openFleetTrust({ files, clock: createFakeClock(Date.now()), log: silentLog });
  const serving = createServing(trust);
  const server = serving.createServer({});
  server.on('request', (request, response) => {
    const refusal = serving.refuse(request);
    response.writeHead(refusal ? 401 : 200, refusal ? { 'www-authenticate': refusal.challenge } : {});
    response.end(refusal ? refusal.code : 'ok');
  });
  server.on('tlsClientError', (_, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(() => {
    server.close();
    server.closeAllConnections();
    serving.close();
    trust.close();
  });
  return { port: (server.address() as AddressInfo).port, trust, serving };
}

const tokenOf = ({ tokenFile }: FleetFiles): TrustFiles => ({ tokenFile });
const pairOf = ({ certFile, keyFile }: FleetFiles): TrustFiles => ({ pair: { certFile, keyFile } });
const mutual = (files: FleetFiles): TrustFiles => ({ ...pairOf(files), caFile: files.caFile });

/** All that the server says to these header lines. */
async function ask(port: number, lines: readonly string[]): Promise<string> {
  const socket = connectInClear(port, '127.0.0.1');
  return await askOn(socket, lines);
}

async function askOn(socket: TLSSocket | ReturnType<typeof connectInClear>, lines: readonly string[]) {
  const head = ['GET /nodes HTTP/1.1', 'Host: x', 'Connection: close', ...lines];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  let text = '';
  for await (const bytes of socket) text += String(bytes);
  return text;
}

async function askOverTls(port: number, options: ConnectionOptions = {}, lines: readonly string[] = []) {
  const socket = connectTls({ port, host: '127.0.0.1', ca: fleetAuthority.cert, ...options });
  onCleanup(() => void socket.destroy());
  return await askOn(socket, lines);
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

describe('a server with a token', () => {
  it.each([
    ['the token', ['Authorization: Bearer token-one'], 200],
    ['the token under another spelling of the scheme', ['authorization: bEARER   token-one  '], 200],
  ])('serves who sends %s', async (_, lines, status) => {
    const { port } = await start(tokenOf(fleetFiles()));
    expect(statusOf(await ask(port, lines))).toBe(status);
  });

  it.each([
    ['nothing', [], 'token_required'],
    ['another scheme', ['Authorization: Basic dG9rZW4tb25l'], 'token_required'],
    ['no token after the scheme', ['Authorization: Bearer'], 'token_required'],
    ['two tokens in one header', ['Authorization: Bearer token-one, Bearer token-one'], 'token_required'],
    [
      'the token twice',
      ['Authorization: Bearer token-one', 'Authorization: Bearer token-one'],
      'token_wrong',
    ],
    [
      'a wrong token before the right one',
      ['Authorization: Bearer x', 'Authorization: Bearer token-one'],
      'token_wrong',
    ],
    ['the beginning of the token', ['Authorization: Bearer token-on'], 'token_wrong'],
    ['more than the token', ['Authorization: Bearer token-one1'], 'token_wrong'],
    ['the token in capitals', ['Authorization: Bearer TOKEN-ONE'], 'token_wrong'],
    ['bytes that are no ASCII', ['Authorization: Bearer token-on\u00e9'], 'token_wrong'],
    ['a token of 15,000 bytes', [`Authorization: Bearer ${'t'.repeat(15_000)}`], 'token_wrong'],
    ['the name of a property', ['Authorization: Bearer __proto__'], 'token_wrong'],
    [
      'the token in another header',
      ['X-Authorization: Bearer token-one', 'Cookie: token=token-one'],
      'token_required',
    ],
    ['the token to a proxy', ['Proxy-Authorization: Bearer token-one'], 'token_required'],
  ])('refuses who sends %s', async (_, lines, code) => {
    const { port } = await start(tokenOf(fleetFiles()));
    const answer = await ask(port, lines);
    expect([statusOf(answer), answer.split('\r\n\r\n')[1]]).toEqual([401, expect.stringContaining(code)]);
    expect(answer).toMatch(/^www-authenticate: Bearer realm="layerpull"/im);
  });

  it('takes each token of its file, and another file without a restart', async () => {
    const files = fleetFiles();
    files.writeTokens('old', '', '  new  ');
    const { port, trust } = await start(tokenOf(files));
    const statuses = async () => {
      const answers = ['old', 'new', 'third'].map((token) => ask(port, [`Authorization: Bearer ${token}`]));
      return (await Promise.all(answers)).map(statusOf);
    };
    expect(await statuses()).toEqual([200, 200, 401]);
    files.writeTokens('new', 'third');
    trust.reload();
    expect(await statuses()).toEqual([401, 200, 200]);
  });
});

describe('a server with a certificate', () => {
  it('serves over TLS, and nobody in clear', async () => {
    const { port, serving } = await start(pairOf(fleetFiles()));
    expect(serving).toMatchObject({ scheme: 'https', asks: false });
    expect(statusOf(await askOverTls(port))).toBe(200);
    expect(await ask(port, []).catch(() => '')).not.toContain('200');
  });

  it('asks for the token over TLS, too', async () => {
    const files = fleetFiles();
    const { port } = await start({ ...pairOf(files), ...tokenOf(files) });
    expect(statusOf(await askOverTls(port))).toBe(401);
    expect(statusOf(await askOverTls(port, {}, ['Authorization: Bearer token-one']))).toBe(200);
  });

  it('shows a new one to new connections', async () => {
    const files = fleetFiles();
    const { port, trust } = await start(pairOf(files));
    const before = await serialOf(port);
    files.writePair(fleetAuthority.issue({ names: localNames }));
    trust.reload();
    expect(await serialOf(port)).not.toBe(before);
  });
});

async function serialOf(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: fleetAuthority.cert });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

describe('a server that asks clients for certificates', () => {
  const past = { from: new Date(Date.now() - 200_000), until: new Date(Date.now() - 100_000) };
  const future = { from: new Date(Date.now() + 3_600_000), until: new Date(Date.now() + 7_200_000) };

  it('serves who shows one of its authority', async () => {
    const { port, serving } = await start(mutual(fleetFiles()));
    expect(serving.asks).toBe(true);
    expect(statusOf(await askOverTls(port, fleetAuthority.issue({ names: ['node-a'] })))).toBe(200);
  });

  it.each([
    ['none', {}, 'certificate_required'],
    ['one of another authority', strangers.issue({ names: ['node-a'] }), 'certificate_refused'],
    ['one that has expired', fleetAuthority.issue({ names: ['node-a'], ...past }), 'certificate_refused'],
    [
      'one that is not valid yet',
      fleetAuthority.issue({ names: ['node-a'], ...future }),
      'certificate_refused',
    ],
    ['one that it signed itself', createAuthority('node-a'), 'certificate_refused'],
  ])('refuses who shows %s', async (_, { cert, key }: { cert?: string; key?: string }, code) => {
    const { port } = await start(mutual(fleetFiles()));
    const shown = cert !== undefined && key !== undefined ? { cert, key } : {};
    const answer = await askOverTls(port, shown, ['Authorization: Bearer token-one']);
    expect([statusOf(answer), answer.split('\r\n\r\n')[1]]).toEqual([401, expect.stringContaining(code)]);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'refuses who was there before without one and resumes that session (%s)',
    async (version) => {
      const { port } = await start(mutual(fleetFiles()));
      const versions = { minVersion: version, maxVersion: version };
      const first = connectTls({ port, host: '127.0.0.1', ca: fleetAuthority.cert, ...versions });
      let session: Buffer | undefined;
      first.on('session', (next) => {
        session = next;
      });
      expect(await askOn(first, [])).toContain('certificate_required');
      const again = await askOverTls(port, { ...versions, ...(session ? { session } : {}) });
      expect(again).toContain('certificate_required');
    },
  );

  it('asks for the token besides where there is one', async () => {
    const files = fleetFiles();
    const { port } = await start({ ...mutual(files), ...tokenOf(files) });
    const own = fleetAuthority.issue({ names: ['node-a'] });
    expect(await askOverTls(port, own)).toContain('token_required');
    expect(await askOverTls(port, {}, ['Authorization: Bearer token-one'])).toContain('certificate_required');
    expect(statusOf(await askOverTls(port, own, ['Authorization: Bearer token-one']))).toBe(200);
  });

  it('knows the members of a new authority once it is told of it, beside the old one', async () => {
    const files = fleetFiles();
    const { port, trust } = await start(mutual(files));
    const newcomer = strangers.issue({ names: ['node-b'] });
    expect(statusOf(await askOverTls(port, newcomer))).toBe(401);
    writeFileSync(files.caFile, fleetAuthority.cert + strangers.cert);
    trust.reload();
    expect(statusOf(await askOverTls(port, newcomer))).toBe(200);
    writeFileSync(files.caFile, strangers.cert);
    trust.reload();
    expect(statusOf(await askOverTls(port, fleetAuthority.issue({ names: ['node-a'] })))).toBe(401);
  });

  it('takes no certificate for a request that came past TLS', () => {
    const files = fleetFiles();
    const trust = openFleetTrust({ files: mutual(files), clock: createFakeClock(), log: silentLog });
    const serving: Serving = createServing(trust);
    const request = { headersDistinct: {}, socket: connectInClear({ port: 1, host: '127.0.0.1' }) };
    request.socket.on('error', () => {});
    onCleanup(() => void request.socket.destroy());
    expect(serving.refuse(request as never)?.code).toBe('certificate_required');
  });
});
