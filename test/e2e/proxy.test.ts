import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { resultOf, startPull, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';
import { startWebProxy } from '../support/web-proxy.ts';

const authority = createAuthority();
const secret = 'sesame-42';

/** A name that only the proxy knows, so that nothing can go past it. */
const name = 'registry.test:5000';

async function setUp() {
  const plain = await startRegistry();
  await pushImage(plain, 'team/app', { layers: [100_000, 50_000] });
  const dir = tempDir();
  const caFile = path.join(dir, 'ca.pem');
  writeFileSync(caFile, authority.cert);
  return { plain, dir, caFile, reference: `${name}/team/app:latest`, store: path.join(dir, 'store') };
}

describeWith(['docker-registry'], 'a pull through a proxy', () => {
  it('brings everything through tunnels, and shows the password to nobody else', async () => {
    const { plain, caFile, reference, store } = await setUp();
    const registry = await startRegistry({
      tls: authority.issue({ names: ['registry.test'] }),
      filesOf: plain,
    });
    const proxy = await startWebProxy({ hosts: { [name]: registry.host }, credentials: `tester:${secret}` });
    const env = { HTTPS_PROXY: `http://tester:${secret}@${proxy.host}` };
    const args = ['pull', reference, '--store', store, '--ca-cert', caFile, '--log-level', 'debug'];
    const run = await runCli(args, { env });
    expect(run.code, run.stderr).toBe(0);
    expect(await verifyStore(store)).toHaveLength(4);
    expect(new Set(proxy.lines())).toEqual(new Set([`CONNECT ${name}`]));
    expect(await registry.blobGets()).toBe(3);
    expect(run.stdout + run.stderr).not.toContain(secret);
  });

  it('brings everything in plain http when that is wanted', async () => {
    const { plain, reference, store } = await setUp();
    const proxy = await startWebProxy({ hosts: { [name]: plain.host } });
    const env = { http_proxy: `http://${proxy.host}`, HTTPS_PROXY: 'http://127.0.0.1:1' };
    const run = await runCli(['pull', reference, '--store', store, '--plain-http'], { env });
    expect(run.code, run.stderr).toBe(0);
    expect(await verifyStore(store)).toHaveLength(4);
    expect(proxy.lines()).toContain(`GET http://${name}/v2/team/app/manifests/latest`);
  });

  it('ends with a hint and no password when the proxy does not take the credentials', async () => {
    const { reference, store } = await setUp();
    const proxy = await startWebProxy({ hosts: {}, credentials: 'tester:other' });
    const env = { HTTPS_PROXY: `http://tester:${secret}@${proxy.host}` };
    const run = await runCli(['pull', reference, '--store', store, '--json', '--log-level', 'debug'], {
      env,
    });
    expect(JSON.parse(run.stdout).error).toMatchObject({
      code: 'registry_unreachable',
      exitCode: 5,
      retryable: false,
      message: `cannot reach ${name}: the proxy ${proxy.host} does not accept the credentials it got`,
      hint: expect.stringContaining('HTTPS_PROXY'),
    });
    expect(run.code).toBe(5);
    expect(run.stdout + run.stderr).not.toContain(secret);
    expect(proxy.requests).toHaveLength(1);
  });

  it('ends with exit code 5 when the proxy does not connect to the registry', async () => {
    const { reference, store } = await setUp();
    const proxy = await startWebProxy({ hosts: {}, connectStatus: 403 });
    const run = await runCli(['pull', reference, '--store', store, '--json'], {
      env: { HTTPS_PROXY: proxy.host },
    });
    const { error } = JSON.parse(run.stdout);
    expect(error).toMatchObject({ code: 'registry_unreachable', exitCode: 5, retryable: false });
    expect(error.message).toContain('status 403');
    expect(error.hint).toContain('NO_PROXY');
  });

  it('says which variable names no proxy, and shows nothing of it', async () => {
    const { reference, store } = await setUp();
    const env = { https_proxy: `socks5://tester:${secret}@127.0.0.1:1` };
    const run = await runCli(['pull', reference, '--store', store], { env });
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('https_proxy names a proxy of the kind socks5');
    expect(run.stderr).not.toContain(secret);
  });

  it('goes past it to registries on this machine', async () => {
    const { plain, store } = await setUp();
    const env = { HTTP_PROXY: 'http://127.0.0.1:1', HTTPS_PROXY: 'http://127.0.0.1:1' };
    const run = await runCli(['pull', `${plain.host}/team/app`, '--store', store], { env });
    expect(run.code, run.stderr).toBe(0);
  });

  it('asks lock servers without it', async () => {
    const { plain, reference, store } = await setUp();
    const proxy = await startWebProxy({ hosts: { [name]: plain.host } });
    const env = { HTTP_PROXY: `http://${proxy.host}` };
    const server = ['--server', 'http://lock.invalid:8080'];
    const run = await runCli(['pull', reference, '--store', store, '--plain-http', ...server], { env });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('cannot reach the lock server');
    expect(proxy.lines().filter((line) => line.includes('lock.invalid'))).toEqual([]);
  });
});

describeWith(['docker-registry'], 'a registry that is a pull-through cache', () => {
  it('is pulled from like any other, and later without its upstream', async () => {
    const upstream = await startRegistry();
    const image = await pushImage(upstream, 'team/app', {
      busybox: true,
      layers: [100_000],
      platforms: ['linux/amd64', 'linux/arm64'],
    });
    const cache = await startRegistry({ remoteUrl: upstream.url });
    const pullTo = async (store: string) => {
      const args = { reference: `${cache.host}/team/app:latest`, store, more: ['--platform', 'linux/amd64'] };
      const result = resultOf(await (await startPull(args)).result());
      expect(result.digest).toBe(image.digest);
      expect(result.layers.every(({ outcome }) => outcome === 'downloaded')).toBe(true);
      expect(await verifyStore(store)).toHaveLength(5);
    };
    await pullTo(path.join(tempDir(), 'store'));
    // The cache keeps its copies while and after it answers.
    const blobs = [image.config, ...image.layers];
    await soon(async () =>
      expect(blobs.every(({ digest }) => existsSync(cache.blobFile(digest)))).toBe(true),
    );
    await upstream.clearLog();
    await pullTo(path.join(tempDir(), 'store'));
    expect(await upstream.blobGets()).toBe(0);
  });
});
