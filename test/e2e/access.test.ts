import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { makeHelper } from '../support/credential-helper.ts';
import { pushImage } from '../support/images.ts';
import { resultOf } from '../support/pulls.ts';
import { credentials, startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';
import { startTokenService } from '../support/token-service.ts';

const { username, password } = credentials;
const auth = Buffer.from(`${username}:${password}`).toString('base64');
const secrets = [password, auth, 'identity-of-the-tests'];

interface Home {
  readonly dir: string;
  readonly env: Record<string, string>;
  /** docker's file in it. */
  readonly config: string;
}

/** A home whose docker file has this content. */
function createHome(document?: object): Home {
  const dir = tempDir();
  mkdirSync(path.join(dir, '.docker'));
  const config = path.join(dir, '.docker', 'config.json');
  if (document) writeFileSync(config, JSON.stringify(document));
  return { dir, env: { HOME: dir, XDG_RUNTIME_DIR: dir }, config };
}

async function pull(reference: string, home: Home, ...more: string[]) {
  const args = ['pull', reference, '--store', path.join(home.dir, 'store'), '--log-level', 'debug', ...more];
  const run = await runCli(args, { env: home.env });
  for (const secret of secrets) expect(run.stdout + run.stderr).not.toContain(secret);
  return run;
}

async function login(home: Home, registry: string, ...more: string[]) {
  const args = ['login', registry, '-u', username, '--password-stdin', '--log-level', 'debug', ...more];
  const run = await runCli(args, { env: home.env, input: `${password}\n` });
  for (const secret of secrets) expect(run.stdout + run.stderr).not.toContain(secret);
  return run;
}

const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

describeWith(['docker-registry', 'skopeo'], 'a real registry with passwords', () => {
  test('denies access to strangers and says how to sign in', async () => {
    const registry = await startRegistry({ auth: true });
    const image = await pushImage(registry, 'secret', { layers: [100] });
    const run = await pull(image.reference, createHome());
    expect(run.code).toBe(4);
    expect(run.stderr).toContain(`sign in with layerpull login ${registry.host}`);
  });

  test('lets in who signed in, with layerpull and with skopeo, until the sign-out', async () => {
    const registry = await startRegistry({ auth: true });
    const image = await pushImage(registry, 'secret', { layers: [100, 200] });
    const home = createHome({ auths: { 'other.example': { auth: 'b3RoZXI6eA==' } }, detachKeys: 'ctrl-e' });

    const signedIn = await login(home, registry.host, '--json');
    expect(signedIn.code, signedIn.stderr).toBe(0);
    expect(JSON.parse(signedIn.stdout)).toEqual({
      registry: registry.host,
      username,
      file: home.config,
      helper: null,
      identityToken: false,
    });
    expect(readJson(home.config)).toEqual({
      auths: { 'other.example': { auth: 'b3RoZXI6eA==' }, [registry.host]: { auth } },
      detachKeys: 'ctrl-e',
    });
    expect(statSync(home.config).mode & 0o777).toBe(0o600);

    expect(resultOf(await pull(image.reference, home, '--json')).digest).toBe(image.digest);
    const inspect = [
      'inspect',
      '--tls-verify=false',
      '--authfile',
      home.config,
      `docker://${image.reference}`,
    ];
    expect(JSON.parse(await skopeo(...inspect))).toMatchObject({ Digest: image.digest });

    const signedOut = await runCli(['logout', registry.host], { env: home.env });
    expect(signedOut.stdout).toBe(`Removed login credentials for ${registry.host}\n`);
    expect(readJson(home.config).auths).toEqual({ 'other.example': { auth: 'b3RoZXI6eA==' } });
    expect((await pull(image.reference, createHome(readJson(home.config)))).code).toBe(4);
    const again = await runCli(['logout', registry.host, '--json'], { env: home.env });
    expect(JSON.parse(again.stdout)).toEqual({ registry: registry.host, file: home.config, removed: false });
  });

  test('refuses a wrong password at the sign-in, which then keeps nothing', async () => {
    const registry = await startRegistry({ auth: true });
    const home = createHome({ auths: {} });
    const args = ['login', registry.host, '-u', username, '-p', 'wrong-password', '--json'];
    const run = await runCli(args, { env: home.env });
    expect(run.code).toBe(4);
    expect(JSON.parse(run.stdout).error).toMatchObject({ code: 'access_denied' });
    expect(run.stdout + run.stderr).not.toContain('wrong-password');
    expect(run.stderr).toContain('--password-stdin');
    expect(readJson(home.config)).toEqual({ auths: {} });
  });

  test('reads --creds and LAYERPULL_CREDS for the registry of the image', async () => {
    const registry = await startRegistry({ auth: true });
    const image = await pushImage(registry, 'secret', { layers: [100] });
    const given = await pull(image.reference, createHome(), '--creds', `${username}:${password}`);
    expect(given.code, given.stderr).toBe(0);
    const home = createHome();
    const LAYERPULL_CREDS = `${username}:${password}`;
    const byEnv = await pull(image.reference, { ...home, env: { ...home.env, LAYERPULL_CREDS } });
    expect(byEnv.code, byEnv.stderr).toBe(0);
    const wrong = await pull(image.reference, createHome(), '--creds', `${username}:no`);
    expect(wrong.code).toBe(4);
    expect(wrong.stderr).toContain('it does not take the credentials from --creds');
  });

  test('reads the file of skopeo login, and one that skopeo then signs out of', async () => {
    const registry = await startRegistry({ auth: true });
    const image = await pushImage(registry, 'team/app', { layers: [100] });
    const authfile = path.join(tempDir(), 'auth.json');
    const who = ['-u', username, '-p', password, '--tls-verify=false', '--authfile', authfile];
    await skopeo('login', ...who, registry.host);
    const byFlag = await pull(image.reference, createHome(), '--authfile', authfile);
    expect(byFlag.code, byFlag.stderr).toBe(0);
    const home = createHome();
    const byEnv = await pull(image.reference, {
      ...home,
      env: { ...home.env, REGISTRY_AUTH_FILE: authfile },
    });
    expect(byEnv.code, byEnv.stderr).toBe(0);
    expect((await login(createHome(), registry.host, '--authfile', authfile)).code).toBe(0);
    await skopeo('logout', '--authfile', authfile, registry.host);
    expect(readJson(authfile)).toEqual({ auths: {} });
  });

  test('takes the entry for a part of it, the longest first', async () => {
    const registry = await startRegistry({ auth: true });
    const image = await pushImage(registry, 'team/app', { layers: [100] });
    const wrong = { auth: Buffer.from('nobody:nothing').toString('base64') };
    const auths = { [registry.host]: wrong, [`${registry.host}/team`]: { auth } };
    const right = await pull(image.reference, createHome({ auths }));
    expect(right.code, right.stderr).toBe(0);
    const longer = { ...auths, [`${registry.host}/team/app`]: wrong };
    expect((await pull(image.reference, createHome({ auths: longer }))).code).toBe(4);
    const home = createHome({ auths: { [registry.host]: wrong } });
    expect((await login(home, `${registry.host}/team`)).code).toBe(0);
    expect(readJson(home.config).auths).toEqual(auths);
  });

  test('keeps the secret in the helper that the file names, and gets it there', async () => {
    const registry = await startRegistry({ auth: true });
    const image = await pushImage(registry, 'secret', { layers: [100] });
    const helper = makeHelper('tests');
    const home = createHome({ credsStore: 'tests' });
    home.env['PATH'] = `${helper.dir}:${process.env['PATH']}`;
    const signedIn = await login(home, registry.host, '--json');
    expect(JSON.parse(signedIn.stdout)).toMatchObject({ helper: 'tests' });
    expect(helper.kept()).toEqual({ [registry.host]: { Username: username, Secret: password } });
    expect(readJson(home.config)).toEqual({ credsStore: 'tests', auths: { [registry.host]: {} } });
    const run = await pull(image.reference, home);
    expect(run.code, run.stderr).toBe(0);
    await runCli(['logout', registry.host], { env: home.env });
    expect(helper.kept()).toEqual({});
    expect(readJson(home.config)).toEqual({ credsStore: 'tests', auths: {} });
    expect((await pull(image.reference, createHome())).code).toBe(4);
  });
});

describeWith(['docker-registry'], 'a real registry with a token service', () => {
  const grant = (name: string) => ({ type: 'repository', name, actions: ['pull', 'push'] }) as const;

  async function start(options: { open?: string[]; identityToken?: string } = {}) {
    const service = await startTokenService({ username, password, ...options });
    const registry = await startRegistry({ tokens: service.config });
    const push = (name: string) => {
      const authorization = `Bearer ${service.tokenFor(grant(name))}`;
      return pushImage({ url: registry.url, authorization }, name, { layers: [100, 200, 300] });
    };
    return { service, registry, push };
  }

  test('gives strangers what is open to all, and denies them the rest', async () => {
    const { service, push } = await start({ open: ['open'] });
    const [open, closed] = [await push('open'), await push('closed')];
    expect((await pull(open.reference, createHome())).code).toBe(0);
    expect(service.calls).toEqual([expect.objectContaining({ method: 'GET', authorization: undefined })]);
    const run = await pull(closed.reference, createHome());
    expect(run.code).toBe(4);
    expect(run.stderr).toContain('sign in first');
  });

  test('shows a password to the service, once for all blobs, and never to itself', async () => {
    const { service, push, registry } = await start();
    const image = await push('closed');
    const home = createHome({ auths: { [registry.host]: { auth } } });
    const run = await pull(image.reference, home);
    expect(run.code, run.stderr).toBe(0);
    expect(service.calls).toEqual([
      {
        method: 'GET',
        fields: { service: service.config.service, scope: 'repository:closed:pull', account: username },
        authorization: `Basic ${auth}`,
        status: 200,
      },
    ]);
  });

  test('gives an identity token at the sign-in, which then stands in for the password', async () => {
    const identityToken = 'identity-of-the-tests';
    const { service, push, registry } = await start({ identityToken });
    const image = await push('closed');
    const home = createHome();
    const signedIn = await login(home, registry.host, '--json');
    expect(JSON.parse(signedIn.stdout)).toMatchObject({ identityToken: true });
    const kept = readJson(home.config).auths[registry.host];
    expect(kept).toEqual({
      auth: Buffer.from(`${username}:`).toString('base64'),
      identitytoken: identityToken,
    });
    const run = await pull(image.reference, home);
    expect(run.code, run.stderr).toBe(0);
    expect(service.calls.at(-1)).toMatchObject({
      method: 'POST',
      fields: { grant_type: 'refresh_token', client_id: 'layerpull', scope: 'repository:closed:pull' },
      authorization: undefined,
    });
    const stale = createHome({ auths: { [registry.host]: { ...kept, identitytoken: 'stale-identity' } } });
    const refused = await pull(image.reference, stale);
    expect([refused.code, refused.stderr.includes('stale-identity')]).toEqual([4, false]);
    expect(refused.stderr).toContain('sign in with layerpull login');
  });
});
