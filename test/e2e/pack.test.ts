import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

describe('the package', () => {
  let directory = '';
  let packed: Packed | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'layerpull-pack-'));
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
    const { stdout } = await execute('npm', pack, { cwd: root });
    packed = (JSON.parse(stdout) as Packed[])[0];
    await writeFile(join(directory, 'package.json'), '{ "name": "user", "private": true, "type": "module" }');
    const install = ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${packed?.filename}`];
    await execute('npm', install, { cwd: directory });
  }, 180_000);

  afterAll(() => rm(directory, { recursive: true, force: true }));

  const run = (...argv: string[]) =>
    execute(join(directory, 'node_modules/.bin/layerpull'), argv, { cwd: directory });

  it('holds what is needed to run, and no sources', () => {
    const paths = packed?.files.map(({ path }) => path) ?? [];
    expect(paths).toEqual(
      expect.arrayContaining([
        'bin/run.js',
        'bin/load.js',
        'dist/program/layerpull.cjs',
        'dist/commands/pull.cjs',
        'oclif.manifest.json',
      ]),
    );
    expect(paths).toEqual(
      expect.arrayContaining(['dist/types/index.d.ts', 'LICENSE', 'README.md', 'CHANGELOG.md']),
    );
    expect(paths.filter((path) => /^(src|test|bench|node_modules|\.)/.test(path))).toEqual([]);
  });

  it('runs where it is installed', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    expect((await run('--version')).stdout).toMatch(new RegExp(`^layerpull/${version} `));
    expect((await run('help', 'pull')).stdout).toContain('layerpull pull IMAGE');
  });

  it('knows all its commands without loading them', async () => {
    const manifest = JSON.parse(await readFile(join(root, 'oclif.manifest.json'), 'utf8'));
    const { stdout } = await run('--help');
    for (const command of Object.keys(manifest.commands))
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  });

  it('is a library with types', async () => {
    const script =
      "import { parseReference, LayerpullError } from 'layerpull'; console.log(typeof parseReference, typeof LayerpullError)";
    const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', script], {
      cwd: directory,
    });
    expect(stdout).toBe('function function\n');
    await typecheck();
  });

  /** Strict, and without `skipLibCheck`: the declarations must stand on their own. */
  async function typecheck(): Promise<void> {
    const source =
      "import { errorTable, type Locks } from 'layerpull';\nexport const use = (locks: Locks) => [locks, errorTable];\n";
    await writeFile(join(directory, 'use.ts'), source);
    await symlink(join(root, 'node_modules/@types'), join(directory, 'node_modules/@types'));
    const compiler = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc');
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
      'use.ts',
    ];
    await execute(process.execPath, [compiler, ...options], { cwd: directory }).catch(({ stdout }) => {
      expect(stdout).toBe('');
    });
  }
});

describe('oclif.manifest.json', () => {
  it('is fresh', async () => {
    await execute(process.execPath, [join(root, 'scripts/manifest.js'), '--check']);
  });
});
