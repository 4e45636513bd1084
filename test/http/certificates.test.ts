import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readHostFolder } from '../../src/http/certificates.ts';
import { createTrust, meansTls } from '../../src/http/trust.ts';
import { createAuthority } from '../support/certificates.ts';
import { errorOf } from '../support/config.ts';
import { tempDir } from '../support/temp.ts';

const authority = createAuthority();
const own = authority.issue({ names: ['tester'] });

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = tempDir();
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  return folder;
}

describe('the certificate folder of a host', () => {
  it('is undefined where there is none', () => {
    expect(readHostFolder(path.join(tempDir(), 'registry.example'))).toBeUndefined();
    expect(readHostFolder(path.join(folderWith({ file: '' }), 'file'))).toBeUndefined();
  });

  it('may be empty, and may hold other files', () => {
    expect(readHostFolder(folderWith({ 'README.md': 'of the admin' }))).toEqual({
      authorities: [],
      client: undefined,
    });
  });

  it('says which file cannot be read', () => {
    const folder = tempDir();
    mkdirSync(path.join(folder, 'ca.crt'));
    expect(errorOf(() => readHostFolder(folder))).toMatchObject({
      code: 'usage',
      message: `${folder}/ca.crt is a directory`,
    });
  });

  it('gives its authorities and its pair', () => {
    const folder = folderWith({ 'b.crt': authority.cert, 'a.cert': own.cert, 'a.key': own.key });
    expect(readHostFolder(folder)).toEqual({ authorities: [authority.cert], client: own });
  });

  it.each([
    ['a.cert has no key', { 'a.cert': own.cert }, 'put a.key beside it; an authority'],
    ['a.key has no certificate', { 'a.key': own.key }, 'put a.cert beside it'],
    ['a.key is no private key', { 'a.cert': own.cert, 'a.key': 'secret words' }, 'in PEM form'],
    ['a.key is encrypted', { 'a.cert': own.cert, 'a.key': encryptedKey() }, 'keys with a passphrase'],
    ['a.key does not belong to a.cert', { 'a.cert': own.cert, 'a.key': authority.key }, 'its own key'],
    ['a.cert holds no certificate', { 'a.cert': own.key, 'a.key': own.key }, '-----BEGIN CERTIFICATE-----'],
    ['ca.crt holds no certificate', { 'ca.crt': '' }, '-----BEGIN CERTIFICATE-----'],
    ['ca.crt holds a certificate that cannot be read', { 'ca.crt': garbled() }, 'write it again'],
  ])('says that %s', (problem, files, hint) => {
    const folder = folderWith(files);
    const error = errorOf(() => readHostFolder(folder));
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining(hint) });
    expect(error.message).toContain(`${folder}/${problem}`);
    expect(`${error.message} ${error.hint}`).not.toContain('secret words');
  });
});

describe('what is given on the command line', () => {
  it('has to be there', () => {
    const missing = path.join(tempDir(), 'missing');
    expect(errorOf(() => createTrust({ caFiles: [missing] }))).toMatchObject({
      code: 'usage',
      message: `--ca-cert: ${missing} does not exist`,
      hint: 'look at the path',
    });
    const error = errorOf(() => createTrust({ certDir: missing }));
    expect(error.message).toBe(`--cert-dir: ${missing} does not exist`);
  });

  it('has to be of the right kind', () => {
    const folder = folderWith({ file: '' });
    expect(errorOf(() => createTrust({ caFiles: [folder] })).message).toBe(
      `--ca-cert: ${folder} is a directory`,
    );
    const file = path.join(folder, 'file');
    expect(errorOf(() => createTrust({ certDir: file })).message).toBe(
      `--cert-dir: ${file} is not a directory`,
    );
  });

  it.each(['client.cert', 'client.key'])('may not be a %s that every host would be shown', (name) => {
    const certDir = folderWith({ 'ca.crt': authority.cert, [name]: own.cert });
    const error = errorOf(() => createTrust({ certDir }));
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining(`${certDir}/HOST:PORT`) });
    expect(error.message).toBe(`--cert-dir: ${certDir}/${name} belongs to no registry`);
  });
});

describe('a host', () => {
  const namesOf = (folder: string, url: string) => {
    const certDir = tempDir();
    mkdirSync(path.join(certDir, folder));
    return meansTls({ moreCertDirs: [certDir] }, new URL(url));
  };

  it.each([
    ['registry.example', 'https://registry.example/'],
    ['registry.example:443', 'https://registry.example/'],
    ['registry.example:5000', 'https://registry.example:5000/'],
    ['[::1]:5000', 'https://[::1]:5000/'],
    ['docker.io', 'https://registry-1.docker.io/'],
    ['registry-1.docker.io', 'https://registry-1.docker.io/'],
  ])('finds its folder %s by %s', (folder, url) => {
    expect(namesOf(folder, url)).toBe(true);
  });

  it.each([
    ['registry.example', 'https://registry.example:5000/'],
    ['registry.example:5000', 'https://registry.example/'],
    ['registry.example', 'https://a.registry.example/'],
    ['docker.io', 'https://auth.docker.io/'],
    ['certs', 'https://../'],
    ['certs', 'https://./'],
  ])('does not take the folder %s for %s', (folder, url) => {
    expect(namesOf(folder, url)).toBe(false);
  });
});

function garbled(): string {
  return authority.cert.replace(/\n.{20}/, `\n${'A'.repeat(20)}`);
}

function encryptedKey(): string {
  return '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n';
}
