import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { asPlainUser, takeAway } from '../support/plain-user.ts';
import { setUpPull } from '../support/planned-pulls.ts';
import { spawnProcess } from '../support/processes.ts';
import { startPull, startServer } from '../support/pulls.ts';
import { blobFile, faultsOf, namesIn } from '../support/whole-store.ts';

const linux = ['--platform', 'linux/amd64'];

/** A store with an image of four layers. */
async function setUp() {
  const { fake, store } = await setUpPull();
  const image = fake.addImage({ layers: [1_000, 2_000, 3_000, 4_000] });
  const pull = async (...args: string[]) => {
    const { code, stderr } = await runCli(['pull', image.reference, ...linux, '--store', store, ...args]);
    expect(code, stderr).toBe(0);
  };
  await pull();
  const verify = async (args: readonly string[] = [], via: readonly string[] = []) => {
    const { code, stdout } = await runCli(['verify', '--store', store, '--json', ...args], { via });
    return { code, ...JSON.parse(stdout) };
  };
  const files = image.layers.map(({ digest }) => blobFile(store, digest));
  const fileIn = (name: string) => path.join(store, name);
  return { fake, store, image, pull, verify, files, fileIn };
}

const kindsOf = (problems: readonly { kind: string }[]) => problems.map(({ kind }) => kind).sort();

describe('verify of a store with odd things in it', () => {
  it('takes what is no file for no blob, reads nothing out of it, and repairs it', async () => {
    const { store, pull, verify, files } = await setUp();
    const [folder = '', dangling = '', device = '', pipe = ''] = files;
    for (const file of files) rmSync(file);
    mkdirSync(path.join(folder, 'in-it'), { recursive: true });
    symlinkSync('/nowhere/at/all', dangling);
    symlinkSync('/dev/zero', device);
    await (await spawnProcess('mkfifo', [pipe], { env: process.env })).exited;
    const found = await verify();
    expect([found.code, kindsOf(found.problems)]).toEqual([6, ['no-file', 'no-file', 'no-file', 'no-file']]);
    const repaired = await verify(['--repair']);
    expect(kindsOf(repaired.repaired)).toEqual(kindsOf(found.problems));
    expect(kindsOf(repaired.problems)).toEqual(['missing', 'missing', 'missing', 'missing']);
    await pull();
    expect(await verify()).toMatchObject({ code: 0, problems: [] });
    expect(faultsOf(store)).toEqual([]);
    expect(existsSync('/dev/zero')).toBe(true);
    expect(namesIn(store, 'trash')).toEqual([]);
  });

  it('says which blob may not be read, verifies the others, and leaves it when it repairs', async () => {
    const { verify, files, image } = await setUp();
    const [unreadable = '', wrong = ''] = files;
    takeAway(unreadable);
    writeFileSync(wrong, 'other bytes');
    const { code, problems } = await verify([], asPlainUser);
    expect([code, kindsOf(problems)]).toEqual([6, ['unreadable', 'wrong']]);
    const { problems: left } = await verify(['--repair'], asPlainUser);
    expect(kindsOf(left)).toEqual(['missing', 'unreadable']);
    const [{ message }] = left.filter(({ kind }: { kind: string }) => kind === 'unreadable');
    expect(message).toContain(`${image.layers[0]?.digest} cannot be read: permission denied, needed by`);
    expect(existsSync(unreadable)).toBe(true);
  });

  it.each([
    ['damaged', 'nonsense'],
    ['empty', ''],
    ['missing', undefined],
  ])('finds layout files that are %s and writes them anew, under another name', async (_, text) => {
    const { store, pull, verify, fileIn } = await setUp();
    const nameOf = () => JSON.parse(readFileSync(fileIn('layerpull.json'), 'utf8')).storeId;
    const before = nameOf();
    for (const name of ['oci-layout', 'layerpull.json']) {
      rmSync(fileIn(name));
      if (text !== undefined) writeFileSync(fileIn(name), text);
      const found = await verify();
      expect([found.code, found.problems]).toEqual([
        6,
        [expect.objectContaining({ kind: 'layout', file: fileIn(name) })],
      ]);
      expect(await verify(['--repair'])).toMatchObject({
        code: 0,
        problems: [],
        repaired: [{ kind: 'layout' }],
      });
    }
    expect(nameOf()).not.toBe(before);
    await pull();
    expect(await verify()).toMatchObject({ code: 0, problems: [] });
    expect(faultsOf(store)).toEqual([]);
  });

  it('refuses a store of a newer format, and leaves it as it is', async () => {
    const { verify, fileIn } = await setUp();
    const newer = '{"format":99,"storeId":"x"}';
    writeFileSync(fileIn('layerpull.json'), newer);
    for (const args of [[], ['--repair']]) {
      expect(await verify(args)).toMatchObject({ code: 8, error: { code: 'store_unusable' } });
    }
    expect(readFileSync(fileIn('layerpull.json'), 'utf8')).toBe(newer);
  });
});

describe('verify beside pulls', () => {
  it('takes nothing for wrong that comes into the store meanwhile', async () => {
    const { fake, store, verify } = await setUp();
    const many = Array.from({ length: 6 }, (_, at) =>
      fake.addImage({ repository: `team/more-${at}`, layers: [20_000, 30_000 + at] }),
    );
    const pulls = await Promise.all(
      many.map(({ reference }) => startPull({ reference, store, more: linux })),
    );
    do {
      expect((await verify()).problems).toEqual([]);
    } while (pulls.some((child) => child.isRunning()));
    for (const child of pulls) expect((await child.exited).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
  });
});

describe('verify --repair at a lock server', () => {
  it('makes it forget that the blob was pulled, so that the next pull fetches it', async () => {
    const { store, pull, verify, files } = await setUp();
    const { url } = await startServer();
    const [file = ''] = files;
    rmSync(file);
    await pull('--server', url);
    writeFileSync(file, 'other bytes');
    expect(kindsOf((await verify(['--repair', '--server', url])).repaired)).toEqual(['wrong']);
    await pull('--server', url);
    expect(faultsOf(store)).toEqual([]);
    expect(namesIn(store, 'sessions')).toEqual([]);
  });
});
