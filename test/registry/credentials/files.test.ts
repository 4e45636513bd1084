import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFileCredentials, createGivenCredentials } from '../../../src/registry/credentials/files.ts';
import { makeHelper, makeOddHelper } from '../../support/credential-helper.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { tempDir } from '../../support/temp.ts';
import { errorOf } from '../support.ts';

const { signal } = new AbortController();
const entry = (username: string) => ({
  auth: Buffer.from(`${username}:secret of ${username}`).toString('base64'),
});

interface Options {
  readonly required?: boolean;
  readonly path?: string;
}

/** Credentials of files with these contents, in this order; undefined: not there. */
function createRig(documents: readonly (object | string | undefined)[], options: Options = {}) {
  const dir = tempDir();
  const files = documents.map((document, at) => {
    const file = path.join(dir, `${at}.json`);
    if (document !== undefined)
      writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document));
    return { path: file, required: options.required ?? false };
  });
  const warnings: string[] = [];
  const log = { warn: (_: object, message: string) => void warnings.push(message) };
  const env = { PATH: options.path ?? '' };
  const credentials = createFileCredentials({ files, env, clock: createFakeClock(), log });
  const who = async (registry: string, repository = 'team/app') => {
    const found = await credentials.find(registry, repository, signal);
    return found?.kind === 'registry' ? found.token : found?.username;
  };
  return { files, warnings, who, credentials };
}

describe('files of credentials', () => {
  it('are asked in their order, and the first that has some counts', async () => {
    const { who, warnings } = createRig([
      undefined,
      { auths: { 'a.example': entry('first'), 'b.example': {} } },
      { auths: { 'a.example': entry('second'), 'b.example': entry('other') } },
    ]);
    expect([await who('a.example'), await who('b.example'), await who('c.example')]).toEqual([
      'first',
      'other',
      undefined,
    ]);
    expect(warnings).toEqual([]);
  });

  it('say where credentials came from', async () => {
    const { credentials, files } = createRig([{ auths: { 'a.example': entry('bob') } }]);
    const from = files[0]?.path;
    expect(await credentials.find('a.example', 'x', signal)).toEqual({
      kind: 'password',
      username: 'bob',
      password: 'secret of bob',
      from,
    });
  });

  it.each([
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['https://a.example/v2/', 'a.example'],
    ['A.Example:5000', 'a.example:5000'],
    ['a.example', 'A.example'],
  ])('have under %s what is for %s', async (key, registry) => {
    const { who } = createRig([{ auths: { [key]: entry('bob') } }]);
    expect(await who(registry)).toBe('bob');
    expect(await who('other.example')).toBeUndefined();
    expect(await who(`${registry}.evil.example`)).toBeUndefined();
  });

  it('prefer the longest part of a registry, and take no part for another', async () => {
    const auths = {
      'a.example': entry('all'),
      'a.example/team': entry('team'),
      'a.example/team/app': entry('app'),
    };
    const { who } = createRig([{ auths }]);
    const repositories = ['team/app', 'team/app/more', 'team/other', 'team', 'teamwork', 'other'];
    const found = await Promise.all(repositories.map((repository) => who('a.example', repository)));
    expect(found).toEqual(['app', 'app', 'team', 'team', 'all', 'all']);
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'have nothing for a registry named %s',
    async (registry) => {
      const { who } = createRig([{ auths: {}, credHelpers: {} }]);
      expect(await who(registry)).toBeUndefined();
    },
  );

  it('may be empty, as /dev/null is', async () => {
    const { who, warnings } = createRig(['']);
    expect([await who('a.example'), warnings]).toEqual([undefined, []]);
  });
});

const broken: readonly [string, object | string, string][] = [
  ['no JSON', '{"auths": {"a.example": {"auth": "c2VjcmV0', 'is no JSON object'],
  ['a list', '[]', 'is no JSON object'],
  ['another form', { auths: [1], credHelpers: { 'a.example': 5 } }, 'does not have the form'],
  ['a damaged entry', { auths: { 'a.example': { auth: 'c2VjcmV0' } } }, 'damaged entry for "a.example"'],
  ['too much', `"${'x'.repeat(1_100_000)}"`, 'longer than'],
];

describe('a file with problems', () => {
  it.each(broken)('(%s) that nobody named is skipped with one warning', async (_, document, problem) => {
    const { who, warnings } = createRig([document, { auths: { 'a.example': entry('next') } }]);
    expect([await who('a.example'), await who('a.example')]).toEqual(['next', 'next']);
    expect(warnings).toEqual([expect.stringContaining(problem)]);
    expect(warnings.join()).not.toContain('c2VjcmV0');
  });

  it.each(broken)('(%s) that somebody named is an error', async (_, document, problem) => {
    const { who } = createRig([document], { required: true });
    const error = await errorOf(who('a.example'));
    expect(error).toMatchObject({ code: 'credentials_unusable', message: expect.stringContaining(problem) });
    expect(String(error)).not.toContain('c2VjcmV0');
  });

  it('that is not there is an error only where somebody named it', async () => {
    expect(await errorOf(createRig([undefined], { required: true }).who('a.example'))).toMatchObject({
      code: 'credentials_unusable',
      message: expect.stringContaining('does not exist'),
    });
  });

  it('that is a folder is skipped with a warning', async () => {
    const { who, files, warnings } = createRig([undefined]);
    mkdirSync(files[0]?.path ?? '');
    expect([await who('a.example'), warnings.length]).toEqual([undefined, 1]);
  });
});

it('whatever stands in a file is credentials or a warning of one line', async () => {
  const value = fc.oneof(
    fc.json().map((text): unknown => JSON.parse(text)),
    fc.string(),
    fc.constant(entry('bob')),
  );
  const key = fc.constantFrom('a.example', 'a.example/team', 'https://a.example/v1/', '__proto__', 'auth');
  const field = fc.constantFrom('auth', 'username', 'password', 'identitytoken', 'registrytoken');
  const auths = fc.dictionary(key, fc.oneof(value, fc.dictionary(field, value)));
  const document = fc.oneof(fc.json(), fc.string(), fc.record({ auths: fc.oneof(auths, value) }), auths);
  await fc.assert(
    fc.asyncProperty(document, async (content) => {
      const { credentials, warnings } = createRig([content]);
      const found = await credentials.find('a.example', 'team/app', signal);
      expect([undefined, 'password', 'identity', 'registry']).toContain(found?.kind);
      for (const warning of warnings) expect(warning).toMatch(/^the file of credentials [^\n]+$/);
    }),
    { numRuns: 200 },
  );
});

describe('a helper', () => {
  function createStore() {
    const helper = makeHelper('tests');
    const keep = (server: string, Username: string, Secret = 'kept') =>
      writeFileSync(
        path.join(helper.dir, 'state', 'kept.json'),
        JSON.stringify({ ...helper.kept(), [server]: { Username, Secret } }),
      );
    return { ...helper, keep, path: `${helper.dir}:${process.env['PATH']}` };
  }

  it('of credsStore knows each registry by the name that docker gives it', async () => {
    const store = createStore();
    store.keep('https://index.docker.io/v1/', 'hubert');
    store.keep('a.example:5000', 'bob');
    const { who } = createRig([{ credsStore: 'tests' }], store);
    expect(await who('docker.io', 'library/app')).toBe('hubert');
    expect(await who('a.example:5000')).toBe('bob');
    expect(await who('b.example')).toBeUndefined();
    expect(store.calls()).toEqual(['get https://index.docker.io/v1/', 'get a.example:5000', 'get b.example']);
  });

  it('of credHelpers is asked before anything else in its file, and none for an empty name', async () => {
    const store = createStore();
    for (const server of ['a.example', 'b.example']) store.keep(server, 'kept');
    const auths = { 'a.example/team/app': entry('app'), 'b.example': entry('file') };
    const credHelpers = { 'a.example': 'tests', 'b.example': '' };
    const { who } = createRig([{ auths, credHelpers, credsStore: 'missing' }], store);
    expect([await who('a.example'), await who('b.example')]).toEqual(['kept', 'file']);
  });

  it('of credHelpers may be named for Docker Hub as people write it', async () => {
    const store = createStore();
    store.keep('docker.io', 'hubert');
    const { who } = createRig([{ credHelpers: { 'docker.io': 'tests' } }], store);
    expect(await who('docker.io')).toBe('hubert');
  });

  it('gives an identity token under the user name <token>', async () => {
    const store = createStore();
    store.keep('a.example', '<token>', 'refresh');
    const { credentials } = createRig([{ credsStore: 'tests' }], store);
    expect(await credentials.find('a.example', 'x', signal)).toEqual({
      kind: 'identity',
      username: '',
      token: 'refresh',
      from: 'docker-credential-tests',
    });
  });

  it('that does not know the registry leaves it to the next file', async () => {
    const { who } = createRig(
      [{ credsStore: 'tests' }, { auths: { 'a.example': entry('next') } }],
      createStore(),
    );
    expect(await who('a.example')).toBe('next');
  });

  it.each([
    ['is missing', 'missing', '', 'is not on the PATH'],
    ['has a path for a name', '../evil', '', 'is no name'],
    ['fails', 'odd', 'echo "the key ring is locked"; exit 2', 'get failed: the key ring is locked'],
    ['fails with a secret', 'odd', `echo '{"Secret":"hunter2"}'; exit 1`, 'get failed; going on'],
    ['answers with something else', 'odd', 'echo hunter2', 'is no JSON object'],
    [
      'answers with far too much',
      'odd',
      'while :; do echo hunter2hunter2hunter2; done',
      'more than 65536 bytes',
    ],
  ])('that %s is left out with one warning', async (_, name, body, problem) => {
    const helper = makeOddHelper('odd', body);
    const options = { path: `${helper.dir}:${process.env['PATH']}` };
    const { who, warnings } = createRig(
      [{ credsStore: name, auths: { 'a.example': entry('file') } }],
      options,
    );
    expect([await who('a.example'), await who('a.example')]).toEqual(['file', 'file']);
    expect(warnings).toEqual([expect.stringContaining(problem)]);
    expect(warnings.join()).not.toContain('hunter2');
  });

  it('that fails is an error where somebody named the file', async () => {
    const { who } = createRig([{ credsStore: 'missing' }], { required: true });
    expect(await errorOf(who('a.example'))).toMatchObject({ code: 'credentials_unusable' });
  });
});

describe('--creds', () => {
  it('is for the registry of the image and for no other', async () => {
    const given = createGivenCredentials({ username: 'bob', password: 'hunter2' }, 'docker.io');
    const found = (host: string) => given.find(host, 'library/app', signal);
    expect(await found('docker.io')).toMatchObject({ username: 'bob', from: '--creds' });
    expect([await found('mirror.example'), await found('docker.io.evil.example')]).toEqual([
      undefined,
      undefined,
    ]);
  });
});
