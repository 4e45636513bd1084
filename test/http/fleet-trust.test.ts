import { execFileSync } from 'node:child_process';
import { chmodSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Log } from '../../src/core/log.ts';
import { silentLog } from '../../src/core/log.ts';
import { openFleetTrust, type TrustFiles } from '../../src/http/fleet-trust.ts';
import { createAuthority } from '../support/certificates.ts';
import { errorOf } from '../support/config.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { fleetAuthority, fleetFiles, localNames, writeSecret } from '../support/fleet-files.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

function recording(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const add = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`);
  return { lines, debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
}

function open(files: TrustFiles, log: Log = silentLog, clock: FakeClock = createFakeClock(Date.now())) {
  return openFleetTrust({ files, clock, log });
}

const refusal = (files: TrustFiles) => errorOf(() => open(files));

describe('the file of tokens', () => {
  it('has one a line, whatever ends the lines', () => {
    const { tokenFile } = fleetFiles();
    writeSecret(tokenFile, '\r\n first \r\n\n  second');
    const trust = open({ tokenFile });
    expect([trust.token(), trust.secrets().tokens]).toEqual(['first', ['first', 'second']]);
  });

  it.each([
    ['nothing', '', 'holds no token'],
    ['empty lines', '\n \n', 'holds no token'],
    ['a blank in a token', 'good\nse cret', 'has something in line 2 that is no token'],
    ['a byte that is no text', 'secret\u0000', 'has something in line 1 that is no token'],
    ['the whole header', 'Authorization: Bearer secret', 'has something in line 1 that is no token'],
    ['letters of other alphabets', 'secr\u00e9t', 'has something in line 1 that is no token'],
    ['a token of 1,025 characters', `secret${'t'.repeat(1_019)}`, 'has something in line 1 that is no token'],
    ['more than a hundred tokens', 'secret\n'.repeat(101), 'holds more than 100 tokens'],
    ['more than 64 KiB', 'secret\n'.repeat(10_000), 'is longer than 64 KiB'],
  ])('is refused with %s, without a word of it', (_, text, problem) => {
    const { tokenFile } = fleetFiles();
    writeSecret(tokenFile, text);
    const { code, message, hint } = refusal({ tokenFile });
    expect([code, message]).toEqual(['usage', `--token-file: ${tokenFile} ${problem}`]);
    expect(`${message} ${hint}`).not.toMatch(/secr|cret/);
  });

  it('is refused where it is not there, is a folder, or is a pipe that nobody writes to', () => {
    const dir = tempDir();
    const pipe = path.join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const problems = [path.join(dir, 'none'), dir, pipe].map((tokenFile) => refusal({ tokenFile }).message);
    expect(problems).toEqual([
      `--token-file: ${dir}/none does not exist`,
      `--token-file: ${dir} is no regular file`,
      `--token-file: ${pipe} is no regular file`,
    ]);
  });

  it.each([
    ['0644', 'warned of'],
    ['0640', 'warned of'],
    ['0604', 'warned of'],
    ['0600', 'taken without a word'],
    ['0400', 'taken without a word'],
  ])('of our own with mode %s is %s', (octal, reaction) => {
    const { tokenFile } = fleetFiles();
    chmodSync(tokenFile, Number.parseInt(octal, 8));
    const log = recording();
    open({ tokenFile }, log);
    const warning = `warn: --token-file: others may read ${tokenFile} (mode ${octal}): take that away with chmod 600`;
    expect(log.lines).toEqual(reaction === 'warned of' ? [warning] : []);
  });
});

describe('the pair of a certificate and its key', () => {
  it('is refused when the two do not belong together', () => {
    const files = fleetFiles();
    writeSecret(files.keyFile, fleetAuthority.issue({ names: ['other'] }).key);
    const { code, message } = refusal({ pair: files });
    expect([code, message]).toEqual(['usage', `--tls-key: ${files.keyFile} does not belong to node.crt`]);
  });

  it('is refused when one of them is missing, or something else', () => {
    const { certFile, keyFile, dir } = fleetFiles();
    const none = path.join(dir, 'none');
    expect(refusal({ pair: { certFile: none, keyFile } }).message).toBe(`--tls-cert: ${none} does not exist`);
    expect(refusal({ pair: { certFile, keyFile: none } }).message).toBe(`--tls-key: ${none} does not exist`);
    expect(refusal({ pair: { certFile: keyFile, keyFile } }).message).toBe(
      `--tls-cert: ${keyFile} holds no certificate in PEM form`,
    );
    expect(refusal({ pair: { certFile, keyFile: certFile } }).message).toBe(
      `--tls-key: ${certFile} is no private key`,
    );
    expect(refusal({ caFile: keyFile }).message).toBe(
      `--tls-ca: ${keyFile} holds no certificate in PEM form`,
    );
  });

  it('is refused when TLS itself does not take it', () => {
    const files = fleetFiles();
    files.writePair(shortPair);
    const { code, message } = refusal({ pair: files });
    expect([code, message]).toEqual([
      'usage',
      `--tls-cert: ${files.certFile} cannot be used for TLS: ee key too small`,
    ]);
  });

  it('is warned of when others may read the key, and when it has expired or is not valid yet', () => {
    const files = fleetFiles();
    chmodSync(files.keyFile, 0o644);
    const log = recording();
    const dayMs = 86_400_000;
    open({ pair: files }, log, createFakeClock(Date.now() + 2 * dayMs));
    open({ pair: files }, log, createFakeClock(Date.now() - 3 * dayMs));
    expect(log.lines).toEqual([
      expect.stringContaining(`--tls-key: others may read ${files.keyFile}`),
      expect.stringContaining(`--tls-cert: ${files.certFile} has expired on `),
      expect.stringContaining(`--tls-key: others may read ${files.keyFile}`),
      expect.stringContaining(`--tls-cert: ${files.certFile} is not valid before `),
    ]);
  });
});

describe('files that change', () => {
  /** Moves time on until something was read again, or could not be. */
  const untilRead = async (clock: FakeClock, log: { readonly lines: string[] }, count = 1) =>
    await soon(async () => {
      await clock.advance(1_000);
      expect(log.lines.length).toBeGreaterThanOrEqual(count);
    });

  it('are read again, and those who listen are told', async () => {
    const files = fleetFiles();
    const [log, clock] = [recording(), createFakeClock(Date.now())];
    const trust = open({ ...files, pair: files }, log, clock);
    const [before, told] = [trust.tls(), [] as string[]];
    trust.onChange(() => told.push(trust.token() ?? ''));
    files.writeTokens('token-two', 'token-one');
    files.writePair(fleetAuthority.issue({ names: localNames }));
    await untilRead(clock, log);
    expect(log.lines).toEqual(['info: tokens and certificates were read again']);
    expect([trust.token(), told]).toEqual(['token-two', ['token-two']]);
    expect(trust.tls()).not.toBe(before);
  });

  it('are read again when a link points elsewhere, as Kubernetes changes secrets', async () => {
    const files = fleetFiles();
    const [next, link] = [path.join(files.dir, 'next'), path.join(files.dir, 'link')];
    writeSecret(next, 'token-two');
    symlinkSync(files.tokenFile, link);
    const [log, clock] = [recording(), createFakeClock()];
    const trust = open({ tokenFile: link }, log, clock);
    symlinkSync(next, `${link}.new`);
    renameSync(`${link}.new`, link);
    await untilRead(clock, log);
    expect(trust.token()).toBe('token-two');
  });

  it('that cannot be used are warned of once, and what was read before stays', async () => {
    const files = fleetFiles();
    const [log, clock] = [recording(), createFakeClock(Date.now())];
    const trust = open({ ...files, pair: files }, log, clock);
    rmSync(files.tokenFile);
    await untilRead(clock, log);
    for (let look = 0; look < 5; look += 1) await clock.advance(1_000);
    const problem = `--token-file: ${files.tokenFile} does not exist`;
    expect(log.lines).toEqual([`warn: what was read before stays in use: ${problem}`]);
    expect([trust.token(), trust.tls()?.ca]).toEqual(['token-one', fleetAuthority.cert]);
    files.writeTokens('token-two');
    await untilRead(clock, log, 2);
    expect(trust.token()).toBe('token-two');
  });

  it('are not read between a certificate and its key', async () => {
    const files = fleetFiles();
    const [log, clock] = [recording(), createFakeClock(Date.now())];
    const trust = open({ pair: files }, log, clock);
    const next = fleetAuthority.issue({ names: localNames });
    writeFileSync(files.certFile, next.cert);
    // One look sees the certificate alone, the next one the key as well.
    await clock.advance(1_000);
    writeSecret(files.keyFile, next.key);
    await untilRead(clock, log);
    expect(log.lines).toEqual(['info: tokens and certificates were read again']);
    expect(trust.tls()?.cert).toBe(next.cert);
  });

  it('are looked at no more once it is closed', async () => {
    const clock = createFakeClock();
    const trust = open({ tokenFile: fleetFiles().tokenFile }, silentLog, clock);
    expect(clock.pending()).toBe(1);
    trust.close();
    trust.close();
    expect(clock.pending()).toBe(0);
  });

  it('of another authority are taken for what a client checks servers by', () => {
    const files = fleetFiles();
    const others = createAuthority('Others');
    const trust = open({ caFile: files.caFile });
    writeFileSync(files.caFile, others.cert);
    trust.look();
    expect(trust.tls()).toEqual({ ca: others.cert });
  });
});

/** Of 512 bits, until the year 2109. */
const shortPair = {
  key: `-----BEGIN PRIVATE KEY-----
MIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8AgEAAkEA4H6FUqFkMitE33Ff
sAX2BBzgsS3trSjkXG19KuFDa8i8mybKEY1XGtinvsN0UONAhado08T/9lFCvyZb
l7nGFQIDAQABAkEA1Ikz89z0HUM1u018yAt8tLwaReQzpsKWIKNP4y7NQ9ZMH2cL
cvqqHCalXTX++tAKLSt9h4yYDjoCbH/9cvlqAQIhAPUgjohdhuQxziolGcdzCHVQ
HI6TSQ2qauYTNAI4QO9VAiEA6nOswD8k6zZGqnEfpwmT1unl8V6abkdNoeMI8XGp
+8ECIAfY3Pc8lz7i4Ui0G1kpM5Id2GwwBtyrIfTvlHClwF5pAiEAqU61nvM6lv1Q
FL+yiu7Yq2ennSGjRiYJwvFwQOPDTEECIQDQUx0m2eIMpZwvuE3UBKTpNl1s5n2O
bPQd+cry8i591A==
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBdzCCASGgAwIBAgIUV4NomkHhLDbRFWKgGVyFxSfo1d4wDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjExNDIzNDNaGA8yMTA5MDExMDE0
MjM0M1owDzENMAsGA1UEAwwEd2VhazBcMA0GCSqGSIb3DQEBAQUAA0sAMEgCQQDg
foVSoWQyK0TfcV+wBfYEHOCxLe2tKORcbX0q4UNryLybJsoRjVca2Ke+w3RQ40CF
p2jTxP/2UUK/JluXucYVAgMBAAGjUzBRMB0GA1UdDgQWBBR0YcyVqQisbZAJN/f1
sw3gpEMEkzAfBgNVHSMEGDAWgBR0YcyVqQisbZAJN/f1sw3gpEMEkzAPBgNVHRMB
Af8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA0EAxUwKo8nECVWMUMeb7GYRafk0EM/n
rR6uhNkaVXNk8HSIIYCb6KfxQyllSkAuK5RT5gTreJBCDvumavu3kWnh/Q==
-----END CERTIFICATE-----`,
};
