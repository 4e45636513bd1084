import { execFileSync } from 'node:child_process';
import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { onCleanup } from './cleanup.ts';
import { tempDir } from './temp.ts';

/** What a token is good for, in the words of docker-registry. */
export interface Grant {
  readonly type: 'repository';
  readonly name: string;
  readonly actions: readonly string[];
}

/** One request for a token. */
export interface TokenCall {
  readonly method: string;
  /** Query of a GET, form of a POST. */
  readonly fields: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  readonly status: number;
}

export interface TokenServiceOptions {
  readonly username: string;
  readonly password: string;
  /** Repositories that everybody may read. Default: none. */
  readonly open?: readonly string[];
  /** Gives this identity token for the password, and takes it by POST. Default: knows no POST. */
  readonly identityToken?: string;
}

export interface TokenService {
  /** For a docker-registry that trusts this service. */
  readonly config: { realm: string; service: string; issuer: string; rootcertbundle: string };
  readonly calls: readonly TokenCall[];
  tokenFor(...access: Grant[]): string;
}

const issuer = 'token service of the tests';
const service = 'registry of the tests';

/** A token service whose tokens a real docker-registry believes; it ends with the test. */
export async function startTokenService(options: TokenServiceOptions): Promise<TokenService> {
  const { keyFile, certificateFile } = makeCertificate();
  const key = createPrivateKey(readFileSync(keyFile));
  const x5c = [readFileSync(certificateFile, 'utf8').replace(/-----[^-]+-----|\s/g, '')];
  const tokenFor = (...access: Grant[]) => {
    const nowS = Math.floor(Date.now() / 1_000);
    const times = { iat: nowS - 60, nbf: nowS - 60, exp: nowS + 300 };
    const claims = { iss: issuer, sub: options.username, aud: service, ...times, jti: randomUUID(), access };
    const text = [{ typ: 'JWT', alg: 'ES256', x5c }, claims].map(encode).join('.');
    const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  };
  const calls: TokenCall[] = [];
  const server = createServer(async (request, response) => {
    const call = await readCall(request);
    const { status, body } = answer(options, call, tokenFor);
    calls.push({ ...call, status });
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await listen(server);
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return { config: { realm, service, issuer, rootcertbundle: certificateFile }, calls, tokenFor };
}

async function listen(server: ReturnType<typeof createServer>): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
}

type Call = Omit<TokenCall, 'status'>;

async function readCall(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method = '', headers, url = '/' } = request;
  const query = new URL(url, 'http://localhost').searchParams;
  const form = new URLSearchParams(Buffer.concat(chunks).toString());
  const fields = Object.fromEntries([...query, ...form]);
  return { method, fields, authorization: headers.authorization };
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

function answer(
  options: TokenServiceOptions,
  { method, fields, authorization }: Call,
  tokenFor: TokenService['tokenFor'],
): Answer {
  const { username, password, identityToken, open = [] } = options;
  const wanted = /^repository:(.+):pull$/.exec(fields['scope'] ?? '')?.[1];
  const access: Grant[] = wanted ? [{ type: 'repository', name: wanted, actions: ['pull'] }] : [];
  const given = { token: tokenFor(...access), expires_in: 300 };
  if (method === 'POST') {
    if (identityToken === undefined) return { status: 405, body: {} };
    const good = fields['grant_type'] === 'refresh_token' && fields['refresh_token'] === identityToken;
    return good
      ? { status: 200, body: { access_token: given.token } }
      : { status: 400, body: { error: 'invalid_grant' } };
  }
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const offline = fields['offline_token'] === 'true' && identityToken !== undefined;
  if (authorization === basic) {
    return { status: 200, body: { ...given, ...(offline ? { refresh_token: identityToken } : {}) } };
  }
  if (authorization !== undefined) return refusal('incorrect username or password');
  return wanted !== undefined && open.includes(wanted)
    ? { status: 200, body: given }
    : refusal('sign in first');
}

function refusal(message: string): Answer {
  return { status: 401, body: { errors: [{ code: 'UNAUTHORIZED', message }] } };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A key and a certificate that it signed for itself. */
function makeCertificate(): { keyFile: string; certificateFile: string } {
  const dir = tempDir();
  const [keyFile, certificateFile] = [path.join(dir, 'key.pem'), path.join(dir, 'certificate.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  const subject = ['-subj', '/CN=token service', '-days', '2', '-out', certificateFile];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject], { stdio: 'pipe' });
  return { keyFile, certificateFile };
}
