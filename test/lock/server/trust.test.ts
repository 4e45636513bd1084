import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import { openFleetTrust, type TrustFiles } from '../../../src/http/fleet-trust.ts';
import { createServing } from '../../../src/http/serving.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { createMetrics } from '../../../src/lock/server/metrics.ts';
import { createAuthority } from '../../support/certificates.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { type FleetFiles, fleetAuthority, fleetFiles } from '../../support/fleet-files.ts';
import { soon } from '../../support/soon.ts';
import { startTlsHost } from '../../support/tls-host.ts';
import { ask, fakeLocks, layer, listenTo, serve, stopServers } from './support.ts';

afterEach(stopServers);

const secret = 'token-one';
const bearer = { authorization: `Bearer ${secret}` };

function opened(files: TrustFiles) {
  const trust = openFleetTrust({ files, clock: systemClock, log: silentLog });
  onCleanup(() => trust.close());
  return trust;
}

/** A lock server that asks for the token of `files`, or for what else is named. */
async function start(trust: TrustFiles, options: Parameters<typeof serve>[1] = {}) {
  const locks = createMemoryLocks({ clock: systemClock, recoveryMs: 0 });
  onCleanup(() => locks.close());
  const serving = createServing(opened(trust));
  return await serve(locks, { serving, metrics: createMetrics('0.0.0'), ...options });
}

const token = ({ tokenFile }: FleetFiles): TrustFiles => ({ tokenFile });
const everything = (files: FleetFiles): TrustFiles => ({ ...files, pair: files });

/** A client of the server; whose error is asked for. */
function client(url: string, files?: TrustFiles) {
  const trust = files && opened(files);
  const timeouts = { retries: 0 };
  const locks = createHttpLocks({
    servers: [new URL(url)],
    ...{ version: '0.0.0', clock: systemClock, timeouts, trust },
  });
  onCleanup(() => locks.close());
  return locks;
}

const errorFrom = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail('nothing was refused'),
    (error: unknown) => error,
  );

const query = `type=pull&resource_id=${layer}&node_id=a`;

describe('a lock server with a token', () => {
  it.each([
    ['POST', '/lock'],
    ['POST', '/unlock'],
    ['GET', `/lock/status?${query}`],
    ['GET', `/lock/subscribe?type=pull&resource_id=${layer}`],
    ['GET', '/lock/subscribe?session=s'],
    ['GET', '/locks'],
    ['GET', '/nodes'],
    ['GET', '/metrics'],
    ['POST', '/sessions'],
    ['PUT', '/sessions/s'],
    ['DELETE', '/sessions/s'],
    ['GET', '/'],
    ['GET', '/no/such/path'],
    ['GET', '//healthz'],
    ['GET', '/healthz/'],
    ['GET', '/healthz/../nodes'],
    ['GET', '/nodes?/healthz'],
    ['POST', '/healthz'],
    ['OPTIONS', '/lock'],
    ['GET', '/nodes;/healthz'],
    ['GET', '/%6eodes'],
  ])('answers %s %s with 401 and words to who has none', async (method, path) => {
    const { url } = await start(token(fleetFiles()));
    const body = method === 'GET' ? {} : { body: { type: 'pull', resource_id: layer, node_id: 'a' } };
    const { status, headers, body: said } = await ask(url, method, path, body);
    expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer realm="layerpull"']);
    expect(said).toEqual({
      error: 'unauthorized',
      message: 'a token is needed: send it as "Authorization: Bearer TOKEN"',
      code: 'token_required',
    });
  });

  it('tells everyone whether it is healthy and ready', async () => {
    const { url } = await start(token(fleetFiles()));
    expect((await ask(url, 'GET', '/healthz')).status).toBe(200);
    expect((await ask(url, 'GET', '/readyz?from=probe')).status).toBe(200);
  });

  it('serves who has it: requests, streams and metrics', async () => {
    const { url } = await start(token(fleetFiles()));
    const body = { type: 'pull', resource_id: layer, node_id: 'a' };
    expect(await ask(url, 'POST', '/lock', { headers: bearer, body })).toMatchObject({
      status: 200,
      body: { acquired: true },
    });
    expect((await ask(url, 'GET', '/metrics', { headers: bearer })).status).toBe(200);
    const stream = await listenTo(url, `/lock/subscribe?type=pull&resource_id=${layer}`, bearer);
    expect(stream.status).toBe(200);
    stream.stop();
  });

  it('asks nothing of its service for who has none', async () => {
    const { url } = await serve(fakeLocks({}), { serving: createServing(opened(token(fleetFiles()))) });
    expect((await ask(url, 'GET', '/locks', { headers: { authorization: 'Bearer x' } })).body['code']).toBe(
      'token_wrong',
    );
  });

  it('says 401 and what to do to a client of ours, and neither side repeats the token', async () => {
    const files = fleetFiles(fleetAuthority, 'its-secret');
    const { url } = await start(token(fleetFiles()));
    const error = await errorFrom(client(url, token(files)).nodes());
    expect(error).toMatchObject({
      code: 'lock_denied',
      exitCode: 4,
      origin: 'lock',
      retryable: false,
      message: `the lock server ${url} denied GET /nodes: the token is not one of those that are valid here`,
      hint: 'put one of its tokens into the first line of the file of --token-file',
    });
    expect(JSON.stringify([error, String((error as Error).stack)])).not.toContain('its-secret');
    expect(await errorFrom(client(url).nodes())).toMatchObject({
      code: 'lock_denied',
      hint: 'give the token of the fleet with --token-file',
    });
  });

  it('refuses a stream of a client of ours in the same way', async () => {
    const { url } = await start(token(fleetFiles()));
    const signal = new AbortController().signal;
    const stream = client(url).watchResource('pull', layer, signal)[Symbol.asyncIterator]();
    expect(await errorFrom(stream.next())).toMatchObject({ code: 'lock_denied' });
  });

  it('is asked again with the new token where the file changed before the client looked', async () => {
    const [theirs, ours] = [fleetFiles(fleetAuthority, 'new'), fleetFiles(fleetAuthority, 'old')];
    const { url } = await start(token(theirs));
    const locks = client(url, token(ours));
    ours.writeTokens('new', 'old');
    expect(await locks.nodes()).toEqual([]);
  });
});

describe('a lock server with certificates', () => {
  it('is reached by who has one, and the token', async () => {
    const files = fleetFiles();
    const { url } = await start(everything(files));
    expect(url).toMatch(/^https:/);
    expect(await client(url, everything(files)).nodes()).toEqual([]);
  });

  it.each([
    [
      'certificate_required',
      'has none',
      (files: FleetFiles) => ({ ...token(files), caFile: files.caFile }),
      'a certificate of the client is needed, of an authority that this server knows',
    ],
    [
      'certificate_refused',
      'has one of another authority',
      (files: FleetFiles) => ({
        ...token(files),
        caFile: files.caFile,
        pair: fleetFiles(createAuthority('Others')),
      }),
      'the certificate of the client is of an authority that this server does not know',
    ],
  ])('says %s to who %s', async (_, __, own, said) => {
    const files = fleetFiles();
    const { url } = await start(everything(files));
    expect(await errorFrom(client(url, own(files)).nodes())).toMatchObject({
      code: 'lock_denied',
      message: `the lock server ${url} denied GET /nodes: ${said}`,
      hint: 'give --tls-cert and --tls-key, a pair whose authority the lock server knows',
    });
  });

  it('tells everyone over TLS whether it is healthy', async () => {
    const files = fleetFiles();
    const { url } = await start(everything(files));
    const socket = connectTls({
      port: Number(new URL(url).port),
      host: '127.0.0.1',
      ca: fleetAuthority.cert,
    });
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let text = '';
    for await (const bytes of socket) text += String(bytes);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('is not reached by a client that expects another authority, and that sends nothing then', async () => {
    const host = await startTlsHost(createAuthority('Others').issue({ names: ['127.0.0.1'] }));
    const error = await errorFrom(client(host.url.origin, everything(fleetFiles())).nodes());
    expect(error).toMatchObject({
      code: 'lock_unreachable',
      hint: 'name the authority of its certificate with --tls-ca',
    });
    expect(host.requests).toEqual([]);
  });

  it.each([
    [
      'has expired',
      { names: ['127.0.0.1'], from: new Date(0), until: new Date(86_400_000) },
      'certificate has expired',
      'look at the clock, or give the lock server a new certificate',
    ],
    [
      'is for another host',
      { names: ['lock.example', '10.0.0.9'] },
      /does not match certificate's altnames/,
      'its certificate is for lock.example, 10.0.0.9: use such a name',
    ],
  ])('is not reached when its certificate %s', async (_, issued, problem, hint) => {
    const host = await startTlsHost(fleetAuthority.issue(issued));
    const error = await errorFrom(client(host.url.origin, everything(fleetFiles())).nodes());
    expect(error).toMatchObject({ code: 'lock_unreachable', hint, message: expect.stringMatching(problem) });
    expect((error as Error).message).toMatch(
      /^cannot reach the lock server https:\/\/127\.0\.0\.1:\d+: \S.*$/,
    );
    expect(host.requests).toEqual([]);
  });

  it('is told from one that speaks in clear, both ways', async () => {
    const files = fleetFiles();
    const { url: clear } = await start(token(files));
    const { url: covered } = await start(everything(files));
    const toClear = clear.replace('http:', 'https:');
    const toCovered = covered.replace('https:', 'http:');
    expect(await errorFrom(client(toClear, everything(files)).nodes())).toMatchObject({
      code: 'lock_unreachable',
      hint: `if it speaks without TLS, write ${clear} for --server`,
    });
    expect(await errorFrom(client(toCovered, everything(files)).nodes())).toMatchObject({
      code: 'lock_unreachable',
      hint: `check that "layerpull serve" runs there; if it speaks TLS, write ${covered} for --server`,
    });
  });

  it('is passed over at once for the next server where its certificate is not taken', async () => {
    const files = fleetFiles();
    const { url } = await start(everything(files));
    const wrong = await startTlsHost(createAuthority('Others').issue({ names: ['127.0.0.1'] }));
    const sleeps: number[] = [];
    // Time does not pass: a pause between the two requests would be one for ever.
    const sleep = (ms: number, signal?: AbortSignal) => {
      sleeps.push(ms);
      return createFakeClock().sleep(ms, signal);
    };
    const clock = { ...systemClock, sleep };
    const inOrder = { servers: [wrong.url, new URL(url)], random: () => 0 };
    const trust = opened(everything(files));
    const locks = createHttpLocks({ ...inOrder, version: '0.0.0', clock, trust });
    onCleanup(() => locks.close());
    expect(await locks.nodes()).toEqual([]);
    // The bound of both requests together, and how long the first one may be silent.
    expect(sleeps).toEqual([30_000, 750]);
  });

  it('cuts who never comes to an end of the handshake, and goes on to serve the others', async () => {
    const files = fleetFiles();
    const { url } = await start(everything(files), { headersTimeoutMs: 2_000 });
    const silent = connect(Number(new URL(url).port), '127.0.0.1');
    const noisy = connect(Number(new URL(url).port), '127.0.0.1');
    noisy.write(Buffer.alloc(4_000, 0x16));
    for (const socket of [silent, noisy]) socket.on('error', () => {}).resume();
    await soon(async () => expect([silent.destroyed, noisy.destroyed]).toEqual([true, true]));
    expect(await client(url, everything(files)).nodes()).toEqual([]);
  });

  it('refuses connections over the cap, those without a handshake as well', async () => {
    const files = fleetFiles();
    const { url } = await start(everything(files), { maxConnections: 1 });
    const port = Number(new URL(url).port);
    const crowd = Array.from({ length: 300 }, () => connect(port, '127.0.0.1'));
    onCleanup(() => crowd.forEach((socket) => void socket.destroy()));
    for (const socket of crowd) socket.on('error', () => {}).resume();
    await soon(async () => expect(crowd.filter((socket) => socket.destroyed).length).toBeGreaterThan(0));
  });
});
