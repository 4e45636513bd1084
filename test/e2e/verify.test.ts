import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { verifyStore } from '../support/pulls.ts';
import { tempDir } from '../support/temp.ts';

async function setUp() {
  const fake = await createFakeRegistry();
  onCleanup(() => fake.close());
  const image = fake.addImage();
  const store = path.join(tempDir(), 'store');
  expect((await runCli(['pull', image.reference, '--store', store])).code).toBe(0);
  const fileOf = (digest: string) => path.join(store, 'blobs', digest.replace(':', '/'));
  const [first, second] = image.layers;
  if (!first || !second) throw new Error('the image has too few layers');
  const verify = (...more: string[]) => runCli(['verify', '--store', store, ...more]);
  return { fake, image, store, fileOf, verify, first: first.digest, second: second.digest };
}

/** Other bytes of the same length. */
function spoil(file: string): void {
  const bytes = readFileSync(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

function problemsOf(run: CliResult): { kind: string; digest?: string; message: string }[] {
  return JSON.parse(run.stdout).problems;
}

describe('layerpull verify', () => {
  it('finds nothing wrong with what a pull made, and says what it read', async () => {
    const { verify, store } = await setUp();
    const before = readdirSync(store, { recursive: true }).sort();
    const run = await verify();
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toMatch(/^1 image, \d+ blobs, .* read: nothing is wrong\n$/);
    expect(readdirSync(store, { recursive: true }).sort()).toEqual(before);
  });

  it.each([
    ['one bit flipped', (file: string) => spoil(file)],
    ['its end cut off', (file: string) => truncateSync(file, statSync(file).size - 1)],
    ['something appended', (file: string) => appendFileSync(file, 'x')],
  ])('finds a blob with %s, and repairs with the next pull', async (_, damage) => {
    const { fake, image, store, fileOf, verify, first } = await setUp();
    damage(fileOf(first));
    const found = await verify('--json');
    expect([found.code, problemsOf(found)]).toEqual([
      6,
      [expect.objectContaining({ kind: 'wrong', digest: first })],
    ]);
    const repaired = await verify('--repair');
    expect(repaired.code).toBe(6);
    expect(repaired.stdout).toContain(`repaired: ${first} has other bytes`);
    expect(repaired.stdout).toContain('layerpull pull NAME');
    const from = fake.requests.length;
    expect((await runCli(['pull', image.reference, '--store', store])).code).toBe(0);
    expect(fake.requests.slice(from).filter(({ path: asked }) => asked.includes('/blobs/'))).toHaveLength(1);
    expect((await verify()).code).toBe(0);
    await verifyStore(store);
    expect(readdirSync(path.join(store, 'trash'))).toEqual([]);
  });

  it('finds what is missing, and who needs it', async () => {
    const { fileOf, verify, first, second, image } = await setUp();
    rmSync(fileOf(first));
    rmSync(fileOf(second));
    const { code, stdout } = await verify();
    expect(code).toBe(6);
    expect(stdout).toContain(`${first} is missing, needed by ${image.reference}`);
    expect(stdout).toContain('2 problems');
  });

  it('finds a manifest that is gone', async () => {
    const { fileOf, verify, image } = await setUp();
    rmSync(fileOf(image.digest));
    expect(problemsOf(await verify('--json'))).toEqual([
      expect.objectContaining({ kind: 'missing', digest: image.digest }),
    ]);
  });

  it('repairs a record that is none and an index.json that is damaged, and needs no pull for that', async () => {
    const { store, verify } = await setUp();
    writeFileSync(path.join(store, 'images', 'x.json'), '{"name":');
    writeFileSync(path.join(store, 'index.json'), 'nonsense');
    const found = problemsOf(await verify('--json')).map(({ kind }) => kind);
    expect(found.sort()).toEqual(['index', 'record']);
    const repaired = await verify('--repair', '--json');
    expect([repaired.code, problemsOf(repaired)]).toEqual([0, []]);
    expect(JSON.parse(repaired.stdout).repaired).toHaveLength(2);
    await verifyStore(store);
  });

  it('removes a wrong blob that nobody needs, and is clean then', async () => {
    const { store, verify } = await setUp();
    const stray = path.join(store, 'blobs', 'sha256', 'a'.repeat(64));
    writeFileSync(stray, 'not this');
    const run = await verify('--repair');
    expect([run.code, existsSync(stray)]).toEqual([0, false]);
  });

  it('looks at one image alone when that is asked for', async () => {
    const { fake, store, verify, fileOf, first, image } = await setUp();
    const other = fake.addImage({ repository: 'library/other', layers: [50_001] });
    await runCli(['pull', other.reference, '--store', store]);
    spoil(fileOf(first));
    expect((await verify(other.reference)).code).toBe(0);
    expect((await verify(image.reference)).code).toBe(6);
    const unknown = await verify('nobody/nothing');
    expect([unknown.code, unknown.stdout]).toEqual([3, '']);
  });

  it('refuses to repair without a coordinator, and changes nothing', async () => {
    const { fileOf, verify, first } = await setUp();
    spoil(fileOf(first));
    const { code, stderr } = await verify('--repair', '--server', '127.0.0.1:1');
    expect([code, existsSync(fileOf(first))]).toEqual([7, true]);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('has an error for a store that is not there, and makes none', async () => {
    const store = path.join(tempDir(), 'nothing');
    const { code, stderr, stdout } = await runCli(['verify', '--store', store]);
    expect([code, stdout, existsSync(store)]).toEqual([8, '', false]);
    expect(stderr).toContain('--store');
  });
});
