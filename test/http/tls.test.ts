import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createHttpClient, type HttpClient } from '../../src/http/client.ts';
import { sendFollowing } from '../../src/http/redirects.ts';
import { tlsProblemOf } from '../../src/http/tls-problems.ts';
import type { TlsSettings } from '../../src/http/trust.ts';
import { createAuthority, writePair } from '../support/certificates.ts';
import { onCleanup } from '../support/cleanup.ts';
import { tempDir } from '../support/temp.ts';
import { startTlsHost } from '../support/tls-host.ts';

const authority = createAuthority();
const others = createAuthority('Other Authority');
const served = authority.issue({ names: ['127.0.0.1', 'localhost'] });

function client(tls: TlsSettings): HttpClient {
  const http = createHttpClient({ userAgent: 'test', refuseLinkLocal: true, tls });
  onCleanup(() => http.close());
  return http;
}

async function statusOf(http: HttpClient, url: URL): Promise<number> {
  const response = await http.send({ method: 'GET', url });
  await response.discard();
  return response.status;
}

const problemOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => tlsProblemOf(error) ?? error,
  );

function fileWith(text: string): string {
  const file = path.join(tempDir(), 'ca.pem');
  writeFileSync(file, text);
  return file;
}

/** A certificate folder, and the folder of one host in it with these files. */
function certDirFor(host: string, files: Readonly<Record<string, string>> = {}) {
  const certDir = tempDir();
  const folder = path.join(certDir, host);
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  return { certDir, folder };
}

describe('the authority of a host', () => {
  it('is not trusted unless somebody says so', async () => {
    const { url, requests } = await startTlsHost(served);
    expect(await problemOf(statusOf(client({}), url))).toBe('authority');
    expect(requests).toEqual([]);
  });

  it('is trusted when a file names it, also among others', async () => {
    const { url } = await startTlsHost(served);
    const both = fileWith(`${others.cert}\nand\n${authority.cert}`);
    expect(await statusOf(client({ caFiles: [both] }), url)).toBe(200);
    const apart = [fileWith(others.cert), fileWith(authority.cert)];
    expect(await statusOf(client({ caFiles: apart }), url)).toBe(200);
  });

  it('is not looked at where the host is called insecure, and only there', async () => {
    const [one, two] = [await startTlsHost(served), await startTlsHost(served)];
    const insecureHosts = new Set<string>();
    const http = client({ insecureHosts });
    insecureHosts.add(one.host);
    expect(await statusOf(http, one.url)).toBe(200);
    expect(await problemOf(statusOf(http, two.url))).toBe('authority');
  });

  it('is not trusted when the file names another, or one of the same name', async () => {
    const { url } = await startTlsHost(served);
    for (const { cert } of [others, createAuthority()]) {
      expect(await problemOf(statusOf(client({ caFiles: [fileWith(cert)] }), url))).toBe('authority');
    }
  });

  it('is trusted when the folder of the host has it, and for that host only', async () => {
    const [one, two] = [await startTlsHost(served), await startTlsHost(served)];
    const http = client({ certDir: certDirFor(one.host, { 'ca.crt': authority.cert }).certDir });
    expect(await statusOf(http, one.url)).toBe(200);
    expect(await problemOf(statusOf(http, two.url))).toBe('authority');
  });

  it('is trusted for every host when it is in the folder of all', async () => {
    const { url } = await startTlsHost(served);
    const certDir = tempDir();
    writeFileSync(path.join(certDir, 'ca.crt'), authority.cert);
    expect(await statusOf(client({ certDir }), url)).toBe(200);
  });

  it('is looked for in the usual folders, too, where the first that knows the host counts', async () => {
    const { host, url } = await startTlsHost(served);
    const right = certDirFor(host, { 'ca.crt': authority.cert }).certDir;
    const wrong = certDirFor(host, { 'ca.crt': others.cert }).certDir;
    const missing = path.join(tempDir(), 'certs.d');
    expect(await statusOf(client({ moreCertDirs: [missing, tempDir(), right, wrong] }), url)).toBe(200);
    const overruled = client({ certDir: wrong, moreCertDirs: [right] });
    expect(await problemOf(statusOf(overruled, url))).toBe('authority');
  });

  it('is looked for among those of the machine only after the usual ones do not know it', async () => {
    const { url } = await startTlsHost(served);
    const systemCaFiles = [path.join(tempDir(), 'none.pem'), fileWith(`${others.cert}${authority.cert}`)];
    const http = client({ systemCaFiles });
    expect(await Promise.all([statusOf(http, url), statusOf(http, url)])).toEqual([200, 200]);
    expect(await statusOf(http, url)).toBe(200);
    expect(await problemOf(statusOf(client({ systemCaFiles: [fileWith(others.cert)] }), url))).toBe(
      'authority',
    );
  });

  it('stays trusted by the machine beside those that are given', async () => {
    const { url } = await startTlsHost(served);
    const caFiles = [fileWith(others.cert)];
    expect(await statusOf(client({ caFiles, systemCaFiles: [fileWith(authority.cert)] }), url)).toBe(200);
    expect(await statusOf(client({ caFiles, extraCaFile: fileWith(authority.cert) }), url)).toBe(200);
  });
});

describe('the certificate of a host', () => {
  const trusting = () => client({ caFiles: [fileWith(authority.cert)] });

  it('has to be for its name', async () => {
    const { url } = await startTlsHost(authority.issue({ names: ['registry.example', '127.0.0.2'] }));
    expect(await problemOf(statusOf(trusting(), url))).toBe('host-name');
  });

  it.each([
    ['expired', { until: new Date('2020-01-01') }],
    ['not begun', { from: new Date('2049-01-01'), until: new Date('2049-06-01') }],
  ])('has to be valid today: one that has %s is not', async (_, dates) => {
    const { url } = await startTlsHost(
      authority.issue({ names: ['127.0.0.1'], from: new Date('2019-01-01'), ...dates }),
    );
    expect(await problemOf(statusOf(trusting(), url))).toBe('dates');
  });

  it('does not matter when nothing is verified', async () => {
    const stale = { from: new Date('2019-01-01'), until: new Date('2020-01-01') };
    const { url } = await startTlsHost(others.issue({ names: ['elsewhere.example'], ...stale }));
    expect(await statusOf(client({ skipVerify: true }), url)).toBe(200);
  });

  it('is no help where no TLS is spoken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onCleanup(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await problemOf(statusOf(client({}), new URL(`https://127.0.0.1:${port}/`)))).toBe('no-tls');
  });
});

describe('the certificate of the client', () => {
  const own = authority.issue({ names: ['tester'] });
  const pair = { 'ca.crt': authority.cert, 'client.cert': own.cert, 'client.key': own.key };

  it('is shown to the host whose folder has it', async () => {
    const { host, url, requests } = await startTlsHost({ ...served, clientAuthority: authority.cert });
    expect(await statusOf(client({ certDir: certDirFor(host, pair).certDir }), url)).toBe(200);
    expect(requests.map((request) => request.client)).toEqual(['tester']);
  });

  it('is shown to no other host, not even where a redirect leads to one that asks for it', async () => {
    const other = await startTlsHost({ ...served, asksOnly: true });
    const first = await startTlsHost({ ...served, clientAuthority: authority.cert }, () => ({
      status: 307,
      headers: { location: `${other.url}blob` },
    }));
    const { certDir } = certDirFor(first.host, pair);
    const http = client({ certDir, caFiles: [fileWith(authority.cert)] });
    const headers = { authorization: 'Bearer secret' };
    const response = await sendFollowing(http, { method: 'GET', url: first.url, headers });
    await response.discard();
    expect(first.requests).toMatchObject([{ client: 'tester', headers: { authorization: 'Bearer secret' } }]);
    expect(other.requests.map((request) => request.client)).toEqual([undefined]);
    expect(other.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  it('is the first by name where there are several', async () => {
    const { host, url, requests } = await startTlsHost({ ...served, clientAuthority: authority.cert });
    const { certDir, folder } = certDirFor(host, { 'ca.crt': authority.cert });
    writePair(folder, 'b', authority.issue({ names: ['second'] }));
    writePair(folder, 'a', authority.issue({ names: ['first'] }));
    expect(await statusOf(client({ certDir }), url)).toBe(200);
    expect(requests.map((request) => request.client)).toEqual(['first']);
  });
});
