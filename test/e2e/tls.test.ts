import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAuthority, writePair } from '../support/certificates.ts';
import { type CliOptions, runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { verifyStore } from '../support/pulls.ts';
import { type RealRegistry, type RegistryTls, startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';

const authority = createAuthority();
const others = createAuthority('Other Authority');
const served = authority.issue({ names: ['127.0.0.1', 'localhost'] });

/** A registry over TLS that has one image. */
async function setUp(tls: RegistryTls = served) {
  const upload = await startRegistry();
  const { digest } = await pushImage(upload, 'team/app', { layers: [100_000, 50_000] });
  await upload.stop();
  const registry = await startRegistry({ tls, filesOf: upload });
  return { registry, digest, reference: `${registry.host}/team/app:latest`, dir: tempDir() };
}

function fileIn(dir: string, name: string, text: string): string {
  const file = path.join(dir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const storeIn = (dir: string) => path.join(dir, 'store');

function pull(reference: string, dir: string, args: readonly string[] = [], options: CliOptions = {}) {
  return runCli(['pull', reference, '--store', storeIn(dir), '--progress', 'none', ...args], options);
}

/** What a pull that has to fail says. */
async function failure(reference: string, dir: string, args: readonly string[] = [], options?: CliOptions) {
  const run = await pull(reference, dir, [...args, '--json'], options);
  const { error } = JSON.parse(run.stdout);
  expect(run.code).toBe(error.exitCode);
  expect(run.stderr).not.toMatch(/^\s+at /m);
  if (existsSync(storeIn(dir))) expect(await verifyStore(storeIn(dir))).toEqual([]);
  return error;
}

describeWith(['docker-registry'], 'a registry that speaks TLS', () => {
  it('is pulled from with the authority of its certificate', async () => {
    const { registry, digest, reference, dir } = await setUp();
    const run = await pull(reference, dir, ['--ca-cert', fileIn(dir, 'ca.pem', authority.cert)]);
    expect(run.stdout, run.stderr).toBe(`${reference}@${digest}\n`);
    expect(await verifyStore(storeIn(dir))).toHaveLength(4);
    expect(await registry.blobGets()).toBe(3);
  });

  it('is pulled from with the variable and a relative path, too', async () => {
    const { reference, dir } = await setUp();
    fileIn(dir, 'certs/ca.pem', authority.cert);
    const env = { LAYERPULL_CA_CERT: 'certs/ca.pem' };
    expect((await pull(reference, dir, [], { env, cwd: dir })).code).toBe(0);
  });

  it('is pulled from when a certificate folder has its authority', async () => {
    const { registry, reference, dir } = await setUp();
    fileIn(dir, `certs/${registry.host}/ca.crt`, authority.cert);
    const run = await pull(reference, dir, ['--cert-dir', path.join(dir, 'certs')]);
    expect(run.code, run.stderr).toBe(0);
  });

  it("is pulled from when the user's folder for podman or docker has its authority", async () => {
    const { registry, reference, dir } = await setUp();
    for (const program of ['containers', 'docker']) {
      const config = tempDir();
      fileIn(config, `${program}/certs.d/${registry.host}/ca.crt`, authority.cert);
      const run = await pull(reference, dir, [], { env: { XDG_CONFIG_HOME: config } });
      expect(run.code, run.stderr).toBe(0);
    }
  });

  it('is pulled from without any trust when nothing is to be verified', async () => {
    const stale = { from: new Date('2019-01-01'), until: new Date('2020-01-01') };
    const { reference, dir } = await setUp(others.issue({ names: ['elsewhere.example'], ...stale }));
    expect((await pull(reference, dir, ['--insecure-skip-tls-verify'])).code).toBe(0);
  });

  it('is pulled from when the machine trusts its authority', async () => {
    const { registry, reference, dir } = await setUp();
    const certDir = path.join(dir, 'certs');
    mkdirSync(path.join(certDir, registry.host), { recursive: true });
    const env = { SSL_CERT_FILE: fileIn(dir, 'system.pem', authority.cert) };
    expect((await pull(reference, dir, ['--cert-dir', certDir], { env })).code).toBe(0);
  });

  it('is refused with a hint when nobody knows its authority', async () => {
    const { registry, reference, dir } = await setUp();
    const error = await failure(reference, dir, ['--ca-cert', fileIn(dir, 'ca.pem', others.cert)]);
    expect(error).toMatchObject({ code: 'registry_unreachable', exitCode: 5, retryable: false });
    expect(error.message).toMatch(new RegExp(`^cannot reach ${registry.host}: unable to (get|verify)`));
    expect(error.hint).toContain('--ca-cert FILE');
    expect(error.hint).toContain(`${registry.host}/ca.crt below --cert-dir DIR`);
    expect(await registry.accessLog()).toEqual([]);
  });

  it('is refused when its certificate is for another name or another time', async () => {
    const dir = tempDir();
    const ca = ['--ca-cert', fileIn(dir, 'ca.pem', authority.cert)];
    const elsewhere = await setUp(authority.issue({ names: ['registry.example', '10.1.2.3'] }));
    const named = await failure(elsewhere.reference, dir, ca);
    expect(named).toMatchObject({ code: 'registry_unreachable', exitCode: 5 });
    expect(named.hint).toContain('its certificate is for registry.example, 10.1.2.3');
    const until = new Date('2020-01-01');
    const old = await setUp(authority.issue({ names: ['127.0.0.1'], from: new Date('2019-01-01'), until }));
    const expired = await failure(old.reference, dir, ca);
    expect(expired).toMatchObject({ code: 'registry_unreachable', exitCode: 5 });
    expect(expired.message).toContain('certificate has expired');
    expect(expired.hint).toContain('clock');
  });
});

describeWith(['docker-registry'], 'a registry that asks for a certificate', () => {
  const asking = { ...served, clientAuthority: authority.cert };
  const own = authority.issue({ names: ['tester'] });

  function certDirWith(dir: string, registry: RealRegistry, pair: typeof own): string[] {
    fileIn(dir, `certs/${registry.host}/ca.crt`, authority.cert);
    writePair(path.join(dir, 'certs', registry.host), 'client', pair);
    return ['--cert-dir', path.join(dir, 'certs')];
  }

  it('is pulled from with one in its folder', async () => {
    const { registry, reference, dir } = await setUp(asking);
    const run = await pull(reference, dir, certDirWith(dir, registry, own));
    expect(run.code, run.stderr).toBe(0);
    expect(await verifyStore(storeIn(dir))).toHaveLength(4);
  });

  it('is refused with a hint that names the folder, without one and with a wrong one', async () => {
    const { registry, reference, dir } = await setUp(asking);
    const without = await failure(reference, dir, ['--ca-cert', fileIn(dir, 'ca.pem', authority.cert)]);
    const wrong = await failure(
      reference,
      dir,
      certDirWith(dir, registry, others.issue({ names: ['tester'] })),
    );
    for (const error of [without, wrong]) {
      expect(error).toMatchObject({ code: 'registry_unreachable', exitCode: 5, retryable: false });
      expect(error.message).toMatch(/: (sslv3|tlsv1|tlsv13) alert [a-z ]+$/);
      expect(error.hint).toContain(`NAME.cert and NAME.key into ${registry.host}/ below --cert-dir`);
    }
  });

  it('is not asked with half a pair', async () => {
    const { registry, reference, dir } = await setUp(asking);
    const file = fileIn(dir, `certs/${registry.host}/client.cert`, own.cert);
    const error = await failure(reference, dir, ['--cert-dir', path.join(dir, 'certs')]);
    expect(error).toMatchObject({ code: 'usage', exitCode: 2, message: `${file} has no key` });
  });
});

describeWith(['docker-registry'], 'http and https confused', () => {
  it('ends with the hint to use TLS when http is spoken to TLS', async () => {
    const { reference, dir } = await setUp();
    const loopback = await failure(reference, dir);
    expect(loopback).toMatchObject({ exitCode: 5, message: expect.stringContaining('speaks https') });
    expect(loopback.hint).toContain('--ca-cert');
  });

  it('ends with the hint to use plain http when TLS is spoken to http', async () => {
    const registry = await startRegistry();
    const dir = tempDir();
    const error = await failure(`${registry.host}/app`, dir, ['--insecure-skip-tls-verify']);
    expect(error).toMatchObject({ code: 'registry_unreachable', exitCode: 5 });
    expect(error.hint).toContain('--plain-http');
  });
});

describe('a file of certificates that cannot be used', () => {
  it.each([
    ['--ca-cert', 'missing.pem', 'does not exist'],
    ['--ca-cert', 'empty.pem', 'holds no certificate in PEM form'],
    ['--cert-dir', 'missing', 'does not exist'],
  ])('ends a pull before anything is asked: %s %s %s', async (flag, name, problem) => {
    const dir = tempDir();
    fileIn(dir, 'empty.pem', '');
    const error = await failure('registry.invalid/app', dir, [flag, path.join(dir, name)]);
    expect(error).toMatchObject({
      code: 'usage',
      exitCode: 2,
      message: `${flag}: ${path.join(dir, name)} ${problem}`,
    });
  });
});
