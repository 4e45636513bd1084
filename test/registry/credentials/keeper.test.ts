import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createKeeper } from '../../../src/registry/credentials/keeper.ts';
import { makeHelper, makeOddHelper } from '../../support/credential-helper.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { tempDir } from '../../support/temp.ts';
import { bob, identity } from '../scripted.ts';
import { errorOf } from '../support.ts';

const { signal } = new AbortController();
const hub = { registry: 'docker.io', namespace: '' };
const example = { registry: 'a.example', namespace: '' };
const team = { registry: 'a.example', namespace: 'team' };
const bobsEntry = { auth: Buffer.from('bob:hunter2').toString('base64') };

function createRig(document?: object, helperDir = '') {
  const file = path.join(tempDir(), '.docker', 'config.json');
  if (document) {
    mkdirSync(path.dirname(file));
    writeFileSync(file, JSON.stringify(document), { mode: 0o644 });
  }
  const env = { PATH: `${helperDir}:${process.env['PATH']}` };
  const keeper = createKeeper(file, { env, clock: createFakeClock() });
  const read = () => JSON.parse(readFileSync(file, 'utf8'));
  return { file, keeper, read };
}

describe('credentials that are kept', () => {
  it('begin a file that only its owner may read, in a folder that only its owner may enter', async () => {
    const { file, keeper, read } = createRig();
    expect(await keeper.keep(example, bob, signal)).toEqual({ file, helper: undefined });
    expect(read()).toEqual({ auths: { 'a.example': bobsEntry } });
    expect([statSync(file).mode & 0o777, statSync(path.dirname(file)).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(readdirSync(path.dirname(file))).toEqual(['config.json']);
  });

  it('leave all else in the file as it was, but for its mode', async () => {
    const document = {
      psFormat: 'x',
      auths: { 'b.example': { auth: 'eDp5', email: 'x@y' } },
      plugins: { a: { b: '1' } },
    };
    const { file, keeper, read } = createRig(document);
    await keeper.keep(example, bob, signal);
    expect(read()).toEqual({ ...document, auths: { ...document.auths, 'a.example': bobsEntry } });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('replace every other way in which the registry is written', async () => {
    const auths = { 'docker.io': {}, 'index.docker.io': {}, 'docker.io/team': { auth: 'eDp5' } };
    const { keeper, read } = createRig({ auths });
    await keeper.keep(hub, bob, signal);
    expect(read().auths).toEqual({
      'docker.io/team': { auth: 'eDp5' },
      'https://index.docker.io/v1/': bobsEntry,
    });
    expect(await keeper.forget(hub, signal)).toMatchObject({ removed: true });
    expect(read().auths).toEqual({ 'docker.io/team': { auth: 'eDp5' } });
  });

  it('for a part of a registry stand beside those for all of it', async () => {
    const { keeper, read } = createRig({ auths: { 'a.example': { auth: 'eDp5' } } });
    await keeper.keep(team, identity, signal);
    expect(read().auths['a.example/team']).toEqual({ auth: 'Og==', identitytoken: 'refresh-1' });
    expect(await keeper.forget(team, signal)).toMatchObject({ removed: true });
    expect(read().auths).toEqual({ 'a.example': { auth: 'eDp5' } });
  });

  it('go to the target of a link', async () => {
    const { file, keeper, read } = createRig({});
    const elsewhere = path.join(tempDir(), 'real.json');
    const link = path.join(path.dirname(file), 'link.json');
    writeFileSync(elsewhere, '{"auths":{}}');
    symlinkSync(elsewhere, link);
    const through = createKeeper(link, { env: {}, clock: createFakeClock() });
    await through.keep(example, bob, signal);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(JSON.parse(readFileSync(elsewhere, 'utf8')).auths).toEqual({ 'a.example': bobsEntry });
    await keeper.keep(example, bob, signal);
    expect(read().auths).toEqual({ 'a.example': bobsEntry });
  });

  it('do not overwrite a damaged file', async () => {
    const { file, keeper } = createRig({});
    writeFileSync(file, '{"auths": ');
    expect(await errorOf(keeper.keep(example, bob, signal))).toMatchObject({ code: 'credentials_unusable' });
    expect(readFileSync(file, 'utf8')).toBe('{"auths": ');
  });

  it('need a file that is no folder', async () => {
    const { file, keeper } = createRig({});
    const other = createKeeper(path.join(file, 'config.json'), { env: {}, clock: createFakeClock() });
    expect(await errorOf(other.keep(example, bob, signal))).toMatchObject({ code: 'credentials_unusable' });
    expect(await keeper.forget(example, signal)).toEqual({ file, removed: false });
  });
});

describe('credentials that a helper keeps', () => {
  it('are not in the file, which names the registry as docker does', async () => {
    const helper = makeHelper('tests');
    const { file, keeper, read } = createRig({ credsStore: 'tests' }, helper.dir);
    expect(await keeper.keep(hub, bob, signal)).toEqual({ file, helper: 'tests' });
    expect(helper.kept()).toEqual({ 'https://index.docker.io/v1/': { Username: 'bob', Secret: 'hunter2' } });
    expect(read()).toEqual({ credsStore: 'tests', auths: { 'https://index.docker.io/v1/': {} } });
    await keeper.keep(example, identity, signal);
    expect(helper.kept()['a.example']).toEqual({ Username: '<token>', Secret: 'refresh-1' });
    expect(await keeper.forget(hub, signal)).toMatchObject({ removed: true });
    expect(await keeper.forget(hub, signal)).toMatchObject({ removed: false });
    expect(Object.keys(helper.kept())).toEqual(['a.example']);
  });

  it('go to the helper of the registry before that of all', async () => {
    const helper = makeHelper('tests');
    const { keeper } = createRig(
      { credsStore: 'missing', credHelpers: { 'a.example': 'tests' } },
      helper.dir,
    );
    expect(await keeper.keep(example, bob, signal)).toMatchObject({ helper: 'tests' });
  });

  it('stay out of the file when the helper fails', async () => {
    const helper = makeOddHelper('tests', 'echo locked; exit 1');
    const { keeper, read } = createRig({ credsStore: 'tests' }, helper.dir);
    const error = await errorOf(keeper.keep(example, bob, signal));
    expect(error).toMatchObject({
      code: 'credentials_unusable',
      message: expect.stringContaining('store failed: locked'),
    });
    expect(read()).toEqual({ credsStore: 'tests' });
  });

  it('are for whole registries only', async () => {
    const { keeper } = createRig({ credsStore: 'tests' }, makeHelper('tests').dir);
    expect(await errorOf(keeper.keep(team, bob, signal))).toMatchObject({ code: 'usage' });
  });
});
