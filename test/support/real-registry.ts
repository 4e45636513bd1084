import { writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { type AccessEntry, countBlobGets, parseAccessLog } from './access-log.ts';
import { requireComponent } from './component-list.ts';
import type { NetworkHost } from './netns.ts';
import { spawnProcess } from './processes.ts';
import { tempDir } from './temp.ts';

export interface RealRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** `http://127.0.0.1:PORT`, `https://` with TLS */
  readonly url: string;
  /** What a client sends to be let in; undefined: everyone is. */
  readonly authorization: string | undefined;
  /** Every request up to now, in the order in which they ended. */
  accessLog(): Promise<AccessEntry[]>;
  /** How often blobs, or the one with this digest, were read. */
  blobGets(digest?: string): Promise<number>;
  /** Where its content is. */
  readonly dataDir: string;
  /** The file that holds a blob's bytes, for tests that spoil it. */
  blobFile(digest: string): string;
  /** Forgets the log so far. */
  clearLog(): Promise<void>;
  stop(): Promise<void>;
}

export interface RealRegistryOptions {
  /** Ask for `credentials` (basic access). Default: no. */
  readonly auth?: boolean;
  /** Ask for tokens of a service, as docker-registry's `auth.token`. */
  readonly tokens?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly rootcertbundle: string;
  };
  /** Speak https, with these PEM texts. Default: http. */
  readonly tls?: RegistryTls;
  /** Serve what another registry has, and keep a copy (pull-through cache). */
  readonly remoteUrl?: string;
  /** Serve what this registry has, from the same files. */
  readonly filesOf?: Pick<RealRegistry, 'dataDir'>;
  /** Serve on another host, which only programs there reach: not this process, nor its `accessLog`. Default: on this one. */
  readonly on?: Pick<NetworkHost, 'address' | 'via'>;
}

export interface RegistryTls {
  readonly cert: string;
  readonly key: string;
  /** Ask for a certificate of this authority. */
  readonly clientAuthority?: string;
}

export const credentials = { username: 'tester', password: 'let-me-pull' } as const;

// bcrypt with the least cost, of the password above.
const passwordHash = '$2a$04$abcdefghijklmnopqrstuuwdkGTL1VXXceFsFtU9LFKKZr/jusE2.';

/** Starts a docker-registry on a free port of 127.0.0.1 with an empty storage; it ends with the test. */
export async function startRegistry(options: RealRegistryOptions = {}): Promise<RealRegistry> {
  const { path: program, env } = requireComponent('docker-registry');
  const dir = tempDir();
  const file = path.join(dir, 'config.json');
  writeFileSync(path.join(dir, 'htpasswd'), `${credentials.username}:${passwordHash}\n`);
  writeFileSync(file, JSON.stringify(configOf(dir, options)));
  const [command = program, ...args] = [...(options.on?.via ?? []), program, 'serve', file];
  const child = await spawnProcess(command, args, { env: { PATH: process.env['PATH'], ...env } });
  const [, host = ''] = await child.stderr.waitFor(/listening on ([\d.]+:\d+)/);
  const url = `${options.tls ? 'https' : 'http'}://${host}`;
  const dataDir = dataDirOf(dir, options);

  let marks = 0;
  let cleared = 0;
  const entriesNow = async () => {
    // A request is logged after its answer; the log shows it before another one that is made now.
    marks += 1;
    const mark = `/v2/?mark=${marks}`;
    await readAnything(url + mark);
    await child.stdout.waitFor(new RegExp(`"GET ${mark.replace('?', '\\?')} `));
    return parseAccessLog(child.stdout.lines()).filter((entry) => !entry.path.startsWith('/v2/?mark='));
  };
  /** A long answer may have come whole a moment before its line: twice the same is all. */
  const allEntries = async () => {
    let entries = await entriesNow();
    for (let before = -1; before !== entries.length; ) {
      before = entries.length;
      entries = await entriesNow();
    }
    return entries;
  };
  const accessLog = async () => (await allEntries()).slice(cleared);

  return {
    host,
    url,
    authorization: options.auth ? basicAuthorization() : undefined,
    accessLog,
    blobGets: async (digest) => countBlobGets(await accessLog(), digest),
    dataDir,
    blobFile: (digest) => blobFileIn(dataDir, digest),
    clearLog: async () => {
      cleared = (await allEntries()).length;
    },
    stop: async () => void (await child.stop()),
  };
}

/** YAML, of which JSON is a part. */
function configOf(dir: string, options: RealRegistryOptions): unknown {
  const { auth, tokens, tls, remoteUrl, on } = options;
  const htpasswd = { realm: 'tests', path: path.join(dir, 'htpasswd') };
  return {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: dataDirOf(dir, options) }, delete: { enabled: true } },
    http: {
      addr: `${on?.address ?? '127.0.0.1'}:0`,
      secret: 'of the tests',
      ...(tls ? { tls: tlsFiles(dir, tls) } : {}),
    },
    ...(auth ? { auth: { htpasswd } } : {}),
    ...(tokens ? { auth: { token: tokens } } : {}),
    ...(remoteUrl === undefined ? {} : { proxy: { remoteurl: remoteUrl } }),
  };
}

function dataDirOf(dir: string, { filesOf }: RealRegistryOptions): string {
  return filesOf?.dataDir ?? path.join(dir, 'data');
}

function tlsFiles(dir: string, { cert, key, clientAuthority }: RegistryTls) {
  const file = (name: string, text: string) => {
    writeFileSync(path.join(dir, name), text);
    return path.join(dir, name);
  };
  const clientcas = clientAuthority === undefined ? [] : [file('clients.pem', clientAuthority)];
  return { certificate: file('server.pem', cert), key: file('server-key.pem', key), clientcas };
}

/** Over https too, whatever its certificate is. */
function readAnything(url: string): Promise<void> {
  const options = { agent: false, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? https.get(url, options) : http.get(url, options);
    request.once('response', (response) => response.resume().once('end', resolve));
    request.once('error', reject);
  });
}

function basicAuthorization(): string {
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function blobFileIn(dir: string, digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':');
  return path.join(dir, 'docker/registry/v2/blobs', algorithm, hex.slice(0, 2), hex, 'data');
}
