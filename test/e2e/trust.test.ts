import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type CliChild, runCli, spawnCli } from '../support/cli.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { type FleetFiles, fleetAuthority, fleetFiles, localNames } from '../support/fleet-files.ts';
import { resultOf, verifyStore } from '../support/pulls.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const allOf = ({ token, pair, ca }: FleetFiles) => [...token, ...pair, ...ca];

async function start(args: readonly string[]): Promise<{ url: string; child: CliChild }> {
  const child = await spawnCli(['serve', '--addr', '127.0.0.1:0', '--ephemeral', ...args]);
  const [url] = await child.stdout.waitFor(/https?:\/\/127\.0\.0\.1:\d+/);
  return { url, child };
}

async function imageOf() {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  return {
    registry,
    image: registry.addImage({ layers: [200_000, 90_000] }),
    store: path.join(tempDir(), 'store'),
  };
}

const nodes = (url: string, args: readonly string[]) => runCli(['nodes', '--server', url, '--json', ...args]);

async function errorOf(run: ReturnType<typeof runCli>) {
  const { stdout, code } = await run;
  const { error } = JSON.parse(stdout);
  expect(code).toBe(error.exitCode);
  return error;
}

/** `http.request`, because `fetch` hides the reason of a refusal. */
function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject).end();
  });
}

describe('pulls through a lock server with trust', () => {
  it.each([
    ['a token', ({ token }: FleetFiles) => token, ({ token }: FleetFiles) => token],
    ['TLS', ({ pair }: FleetFiles) => pair, ({ ca }: FleetFiles) => ca],
    ['a token and certificates on both sides', allOf, allOf],
  ])('share one download with %s', async (_, ofServer, ofClient) => {
    const files = fleetFiles();
    const { url } = await start(ofServer(files));
    const { registry, image, store } = await imageOf();
    const pull = (node: string) =>
      runCli([
        ...['pull', image.reference, '--store', store, '--node', node, '--json', '--server', url],
        ...['--on-lock-failure', 'fail', ...ofClient(files)],
      ]);
    const results = (await Promise.all([pull('node-a'), pull('node-b')])).map(resultOf);
    expect(
      results.flatMap(({ layers }) => layers.filter((layer) => layer.outcome === 'downloaded')),
    ).toHaveLength(3);
    for (const layer of image.layers) expect(registry.blobGets(layer.digest)).toBe(1);
    await verifyStore(store);
    expect(registry.requests.map(({ authorization }) => authorization).filter(Boolean)).toEqual([]);
  });

  it('go on alone without the token, and say what to do in one line', async () => {
    const { url } = await start(fleetFiles().token);
    const { image, store } = await imageOf();
    const run = await runCli([
      'pull',
      image.reference,
      '--store',
      store,
      '--server',
      url,
      '--progress',
      'none',
    ]);
    expect([run.code, run.stdout]).toEqual([0, `${image.reference}@${image.digest}\n`]);
    const lines = run.stderr.trim().split('\n');
    expect(lines.filter((line) => line.includes('a token is needed'))).toHaveLength(1);
  });

  it('show no token in what they say, not even for those who debug', async () => {
    const files = fleetFiles(fleetAuthority, 'the-secret-token');
    const { url, child } = await start([...fleetFiles().token, '--log-level', 'debug']);
    const { registry, image, store } = await imageOf();
    const args = ['--server', url, '--log-level', 'debug', '--progress', 'json', ...files.token];
    const run = await runCli(['pull', image.reference, '--store', store, '--json', ...args]);
    const failed = await runCli(['nodes', '--server', url, '--log-level', 'debug', '--json', ...files.token]);
    expect([run.code, failed.code]).toEqual([0, 4]);
    const said = [run, failed].map(({ stdout, stderr }) => stdout + stderr).join('') + child.stderr.text();
    expect(said).not.toContain('the-secret-token');
    expect(JSON.stringify(registry.requests)).not.toContain('the-secret-token');
  });

  it('need no token among themselves, without a server', async () => {
    const { image, store } = await imageOf();
    const args = ['pull', image.reference, '--store', store, '--json', '--on-lock-failure', 'fail'];
    const runs = await Promise.all([1, 2].map(() => runCli([...args, ...fleetFiles().token])));
    expect(
      runs.map(resultOf).flatMap(({ layers }) => layers.filter((layer) => layer.outcome === 'downloaded')),
    ).toHaveLength(3);
  });
});

describe('the errors of trust', () => {
  it('tell a token that is missing or wrong by its own code and exit code', async () => {
    const { url } = await start(fleetFiles().token);
    const denied = { code: 'lock_denied', exitCode: 4, origin: 'lock', retryable: false };
    expect(await errorOf(nodes(url, []))).toMatchObject({
      ...denied,
      hint: expect.stringContaining('--token-file'),
    });
    const other = fleetFiles(fleetAuthority, 'other').token;
    for (const command of [['nodes'], ['status'], ['status', 'sha256:ab']]) {
      expect(await errorOf(runCli([...command, '--server', url, '--json', ...other]))).toMatchObject(denied);
    }
    const { image, store } = await imageOf();
    const pull = ['pull', image.reference, '--store', store, '--on-lock-failure', 'fail', '--server', url];
    expect(await errorOf(runCli([...pull, '--json', ...other]))).toMatchObject(denied);
  });

  it('are one line where files cannot be used, for servers and for clients', async () => {
    const files = fleetFiles();
    writeFileSync(path.join(files.dir, 'empty'), '', { mode: 0o600 });
    writeFileSync(files.keyFile, fleetAuthority.issue({ names: localNames }).key, { mode: 0o600 });
    const cases = [
      ['--token-file', path.join(files.dir, 'none')],
      ['--token-file', path.join(files.dir, 'empty')],
      files.pair,
    ];
    for (const args of cases) {
      for (const command of [
        ['serve', '--ephemeral', '--addr', '127.0.0.1:0'],
        ['nodes', '--server', 'https://127.0.0.1:1'],
      ]) {
        const run = await runCli([...command, ...args]);
        expect([run.code, run.stdout], run.stderr).toEqual([2, '']);
        expect(run.stderr.trim().split('\n')).toHaveLength(1);
      }
    }
  });

  it('name a certificate of the server that is for another host, or has expired, in one line', async () => {
    const files = fleetFiles();
    files.writePair(fleetAuthority.issue({ names: ['lock.example'] }));
    const { url } = await start(files.pair);
    expect(await errorOf(nodes(url, files.ca))).toMatchObject({
      ...{ code: 'lock_unreachable', exitCode: 7 },
      hint: 'its certificate is for lock.example: use such a name',
    });
    files.writePair(
      fleetAuthority.issue({ names: localNames, from: new Date(0), until: new Date(86_400_000) }),
    );
    const expired = await start(files.pair);
    await expired.child.waitForStderr(/has expired on Jan {2}2 00:00:00 1970 GMT: others refuse it/);
    const run = await runCli(['nodes', '--server', expired.url, ...files.ca]);
    expect([run.code, run.stderr]).toEqual([
      7,
      `layerpull: cannot reach the lock server ${expired.url}: certificate has expired (look at the clock, or give the lock server a new certificate)\n`,
    ]);
  });
});

describe('a server that runs', () => {
  it('takes a new token and forgets the old one without a restart', async () => {
    const files = fleetFiles(fleetAuthority, 'old');
    const { url, child } = await start(files.token);
    const as = (token: string) => statusOf(`${url}/nodes`, { authorization: `Bearer ${token}` });
    expect([await as('old'), await as('new')]).toEqual([200, 401]);
    files.writeTokens('old', 'new');
    await soon(async () => expect([await as('old'), await as('new')]).toEqual([200, 200]));
    files.writeTokens('new');
    child.kill('SIGHUP');
    await soon(async () => expect([await as('old'), await as('new')]).toEqual([401, 200]));
    expect(child.isRunning()).toBe(true);
    expect((await child.stop()).code).toBe(0);
  });

  it('takes a new certificate of a new authority without a restart', async () => {
    const files = fleetFiles();
    const others = createAuthority('Next Authority');
    const { url } = await start(files.pair);
    const next = fleetFiles(others);
    expect([(await nodes(url, files.ca)).code, (await nodes(url, next.ca)).code]).toEqual([0, 7]);
    files.writePair(others.issue({ names: localNames }));
    await soon(async () => expect((await nodes(url, next.ca)).code).toBe(0));
    expect((await nodes(url, files.ca)).code).toBe(7);
  });

  it('ends with SIGHUP as ever where there is nothing to read', async () => {
    const { child } = await start([]);
    child.kill('SIGHUP');
    expect((await child.exited).code).toBe(0);
  });
});

describe('a server that everyone reaches', () => {
  const warning = /"level":"warn".*serves everyone who reaches it: give it --token-file FILE, or --tls-cert/;
  const open = async (address: string, args: readonly string[]) => {
    const child = await spawnCli(['serve', '--addr', address, '--ephemeral', ...args]);
    await child.stdout.waitFor(/https?:\/\/\S+:\d+/);
    await child.stop();
    return child.stderr.lines().filter((line) => warning.test(line)).length;
  };

  it('warns once when it serves everyone', async () => {
    expect(await open('0.0.0.0:0', [])).toBe(1);
    expect(await open('0.0.0.0:0', fleetFiles().pair)).toBe(1);
  });

  it('warns of nothing when it asks, or when only this machine reaches it', async () => {
    const files = fleetFiles();
    expect(await open('0.0.0.0:0', files.token)).toBe(0);
    expect(await open('0.0.0.0:0', [...files.pair, ...files.ca])).toBe(0);
    expect(await open('127.0.0.1:0', [])).toBe(0);
    expect(await open('localhost:0', [])).toBe(0);
  });
});
