import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { type CliChild, runCli, spawnCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { type EtcdMember, startEtcd } from '../support/etcd.ts';
import { get } from '../support/get.ts';
import { sendRaw } from '../support/lock-http.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const listen = ['serve', '--addr', '127.0.0.1:0'];

/** Nothing else is on stderr, and nothing on stdout. */
async function refused(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, stdout, stderr } = await runCli([...listen, ...args], { env });
  expect(stdout).toBe('');
  expect(stderr.split('\n').slice(1)).toEqual(['']);
  return { code, line: stderr.trimEnd() };
}

function fileWith(text: string): string {
  const file = path.join(tempDir(), 'file');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** Takes connections, and says nothing. */
async function silentListener(): Promise<string> {
  const server = net.createServer(() => {}).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onCleanup(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('it does not listen');
  return `127.0.0.1:${address.port}`;
}

describe('serve that cannot use its etcd', () => {
  it('ends with 5 and one line where nobody listens', async () => {
    const { code, line } = await refused(['--backend', 'etcd://127.0.0.1:1']);
    expect(code).toBe(5);
    expect(line).toMatch(/^layerpull: .*etcd .*127\.0\.0\.1:1\b.* \(.+\)$/);
  });

  it('ends so where nothing is said', async () => {
    const { code, line } = await refused(['--backend', `etcd://${await silentListener()}`]);
    expect([code, line]).toEqual([5, expect.stringMatching(/^layerpull: .*etcd/)]);
  });

  it('says so in one document with --json', async () => {
    const run = await runCli([...listen, '--backend', 'etcd://127.0.0.1:1', '--json']);
    expect(run.code).toBe(5);
    expect(JSON.parse(run.stdout)).toEqual({
      error: expect.objectContaining({
        code: 'etcd_unreachable',
        origin: 'lock',
        retryable: true,
        exitCode: 5,
        hint: expect.any(String),
      }),
    });
  });

  it.each([
    ['--etcd-ca', '/nowhere/ca.pem', 'does not exist'],
    ['--etcd-ca', fileWith('no certificate'), 'holds no certificate in PEM form'],
  ])('ends with 2 and names a file that it cannot use: %s', async (flag, file, problem) => {
    const { code, line } = await refused(['--backend', 'etcds://127.0.0.1:1', flag, file]);
    expect([code, line]).toEqual([2, expect.stringContaining(`${flag}: ${file} ${problem}`)]);
  });

  it('ends with 2 and names a password file that holds none', async () => {
    const file = fileWith('\n');
    const { code, line } = await refused([
      ...['--backend', 'etcd://127.0.0.1:1'],
      ...['--etcd-user', 'lock', '--etcd-password-file', file],
    ]);
    expect([code, line]).toEqual([2, expect.stringContaining(`${file} holds no password`)]);
  });

  it('ends with 2 for a password in the URL, and shows it nowhere', async () => {
    const url = 'etcd://root:hunter2@127.0.0.1:2379';
    const asFlag = await refused(['--backend', url]);
    const asVariable = await refused([], { LAYERPULL_BACKEND: url });
    for (const { code, line } of [asFlag, asVariable]) {
      expect(code).toBe(2);
      expect(line).toContain('--etcd-password-file');
      expect(line).not.toContain('hunter2');
    }
    const { stdout } = await runCli([...listen, '--backend', url, '--json', '--log-level', 'debug']);
    expect(stdout).not.toContain('hunter2');
  });

  it('ends with 2 for what a server keeps itself beside it', async () => {
    const { code, line } = await refused(['--backend', 'etcd://127.0.0.1:1', '--ephemeral']);
    expect([code, line]).toEqual([
      2,
      expect.stringContaining('--backend and --ephemeral exclude each other'),
    ]);
  });
});

interface RunningServer {
  readonly url: string;
  readonly child: CliChild;
}

async function startServer({ address }: EtcdMember, more: readonly string[] = []): Promise<RunningServer> {
  const child = await spawnCli([...listen, '--backend', `etcd://${address}/fleet-a`, ...more]);
  const [url] = await child.stdout.waitFor(/http:\/\/[\d.]+:\d+/);
  return { url, child };
}

const readiness = (url: string) => sendRaw(url, 'GET', '/readyz');

describeWith(['etcd'], 'serve with etcd', () => {
  it('says where it keeps its locks, is ready, and ends with 0', async () => {
    const etcd = await startEtcd();
    const { url, child } = await startServer(etcd);
    await child.waitForStderr(
      new RegExp(
        `locks are kept in etcd at ${etcd.address}, below fleet-a/, together with other lock servers`,
      ),
    );
    expect(await readiness(url)).toMatchObject({ status: 200, body: { status: 'ready' } });
    const second = await startServer(etcd);
    const { body } = await sendRaw(second.url, 'GET', '/nodes');
    expect(body).toMatchObject({ nodes: [] });
    expect((await get(`${url}/metrics`)).text).toMatch(/^layerpull_etcd_seats 2$/m);
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    await soon(async () => {
      expect((await get(`${second.url}/metrics`)).text).toMatch(/^layerpull_etcd_seats 1$/m);
    });
  });

  it('is not ready while etcd is away, and is alive all the same', async () => {
    const etcd = await startEtcd();
    const { url, child } = await startServer(etcd);
    await etcd.kill();
    await soon(async () => {
      expect(await readiness(url)).toMatchObject({ status: 503, body: { code: 'lock_unreachable' } });
    });
    expect(await sendRaw(url, 'GET', '/healthz')).toMatchObject({ status: 200 });
    const ask = await sendRaw(url, 'POST', '/sessions', { node_id: 'a' });
    expect(ask).toMatchObject({ status: 503, body: { code: 'lock_unreachable' } });
    // Who may ask need not know where etcd is; who runs it finds it here.
    expect(JSON.stringify(ask.body)).not.toContain(etcd.address);
    expect(JSON.stringify((await readiness(url)).body)).toContain(etcd.address);
    const doctor = await runCli(['doctor', '-q', '--server', url, '--store', path.join(tempDir(), 'store')]);
    expect([doctor.code, doctor.stdout]).toEqual([7, expect.stringContaining('look at its etcd')]);
    await etcd.restart();
    await soon(async () => expect(await readiness(url)).toMatchObject({ status: 200 }));
    expect(child.isRunning()).toBe(true);
  });

  it('ends with 0 when it is told so while etcd says nothing', async () => {
    const etcd = await startEtcd();
    const { child } = await startServer(etcd);
    etcd.freeze();
    expect(await child.stop()).toEqual({ code: 0, signal: null });
  });

  it('is refused with 7 beside servers with other bounds, and let in beside none', async () => {
    const etcd = await startEtcd();
    const { child } = await startServer(etcd);
    const other = ['--session-ttl', '16s', '--stall-timeout', '30s'];
    const { code, line } = await refused(['--backend', `etcd://${etcd.address}/fleet-a`, ...other]);
    expect(code).toBe(7);
    expect(line).toMatch(/^layerpull: .* run with a session TTL of 15 s, a stall timeout of 20 s \(.+\)$/);
    const elsewhere = await spawnCli([...listen, '--backend', `etcd://${etcd.address}/fleet-b`, ...other]);
    await elsewhere.stdout.waitFor(/http:/);
    await child.stop();
    const after = await startServer(etcd, other);
    expect(await readiness(after.url)).toMatchObject({ status: 200 });
  });

  it('needs no more than its prefix of a user, over TLS, and ends with 4 for a wrong password', async () => {
    const etcd = await startEtcd({ tls: {} });
    await etcd.admin.enableUsers([{ name: 'lock', password: 'hunter2', prefix: 'layerpull/' }]);
    const { ca = '', cert = '', key = '' } = etcd.tls ?? {};
    const backend = (prefix: string) => ['--backend', `etcds://${etcd.address}${prefix}`];
    const tls = [
      ...['--etcd-ca', fileWith(ca), '--etcd-cert', fileWith(cert), '--etcd-key', fileWith(key)],
      ...['--etcd-user', 'lock', '--etcd-password-file'],
    ];
    const child = await spawnCli([...listen, ...backend(''), ...tls, fileWith('hunter2\n')]);
    const [url = ''] = await child.stdout.waitFor(/http:\/\/[\d.]+:\d+/);
    expect(await sendRaw(url, 'POST', '/sessions', { node_id: 'a' })).toMatchObject({ status: 200 });
    const wrong = await refused([...backend(''), ...tls, fileWith('hunter3')]);
    const foreign = await refused([...backend('/others'), ...tls, fileWith('hunter2')]);
    for (const { code, line } of [wrong, foreign]) {
      expect(code).toBe(4);
      expect(line).toContain('"lock"');
      expect(line).not.toContain('hunter');
    }
    expect(child.stderr.text()).not.toContain('hunter');
  });

  it('warns of a file that others may read', async () => {
    const etcd = await startEtcd();
    await etcd.admin.enableUsers([{ name: 'lock', password: 'hunter2', prefix: 'fleet-a/' }]);
    const file = path.join(tempDir(), 'password');
    writeFileSync(file, 'hunter2', { mode: 0o644 });
    const { child } = await startServer(etcd, ['--etcd-user', 'lock', '--etcd-password-file', file]);
    await child.waitForStderr(/--etcd-password-file: others may read/);
  });
});
